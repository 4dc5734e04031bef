//! What a figure belongs to: commit, compiler, processor, versions of the peers.
use crate::memcached::PROGRAM;
use crate::options::Room;
use std::fs;
use std::process::Command;

const LOCK: &str = include_str!("../Cargo.lock");
const MEMORY_PEERS: [&str; 4] = ["quick_cache", "moka", "foyer-memory", "lru"];
const MEMCACHED_PEERS: [&str; 2] = ["memcache", "async-memcached"];

/// One fact a line.
pub(crate) fn gather(room: Room) -> Vec<String> {
    let (peers, about_them) = match room {
        Room::Memory => (&MEMORY_PEERS[..], "; all with hotclub's hash function (foldhash)".to_owned()),
        Room::Memcached => {
            (&MEMCACHED_PEERS[..], format!("; {} on this machine", first_line(PROGRAM, &["-V"])))
        }
    };
    let peers: Vec<String> = peers.iter().map(|name| format!("{name} {}", version(name))).collect();
    vec![
        format!("hotclub {} at commit {}", version("hotclub"), commit()),
        format!("{}; release profile: thin LTO, one codegen unit", first_line("rustc", &["--version"])),
        format!("peers: {}{about_them}", peers.join(", ")),
        format!("{} cores of {}; load before the run {}", cores(), processor(), load()),
    ]
}

fn version(name: &str) -> &'static str {
    let start = format!("name = \"{name}\"\nversion = \"");
    let after = LOCK.split_once(&start).map(|(_, after)| after);
    after.and_then(|after| after.split('"').next()).unwrap_or("unknown")
}

fn commit() -> String {
    let commit = first_line("git", &["rev-parse", "--short", "HEAD"]);
    let changes = first_line("git", &["--no-optional-locks", "status", "--porcelain", "-uno"]);
    if changes.is_empty() || changes == UNKNOWN { commit } else { format!("{commit} with local changes") }
}

const UNKNOWN: &str = "unknown";

fn first_line(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success());
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.map_or(UNKNOWN.to_owned(), |text| text.lines().next().unwrap_or_default().to_owned())
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(0, usize::from)
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or(UNKNOWN.to_owned(), |(_, name)| name.to_owned())
}

fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().filter(|load| !load.is_empty()).unwrap_or(UNKNOWN).to_owned()
}
