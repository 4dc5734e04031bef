//! Prints `docs/reference/capabilities.md`: what each backend can do and how it is set up, from the code itself.
//!
//! `cargo run -p hotclub --all-features --example reference > docs/reference/capabilities.md` writes it;
//! `cargo run -p hotclub --all-features --example reference -- --check` ends with 1 and names the difference if the file is old.
use hotclub::backend::memory::Policy;
use hotclub::{COMMON_OPTIONS, Cache, Registry, Room};
use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

const COMMAND: &str = "cargo run -p hotclub --all-features --example reference";

fn main() -> ExitCode {
    let text = page();
    if std::env::args().nth(1).as_deref() != Some("--check") {
        print!("{text}");
        return ExitCode::SUCCESS;
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/capabilities.md");
    match std::fs::read_to_string(file)
        .map_err(|error| error.to_string())
        .and_then(|old| compare(&old, &text))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(difference) => {
            eprintln!("docs/reference/capabilities.md is not what the code says: {difference}");
            eprintln!("write it with: {COMMAND} > docs/reference/capabilities.md");
            ExitCode::FAILURE
        }
    }
}

/// The first line that differs.
fn compare(old: &str, new: &str) -> Result<(), String> {
    let (mut old, mut new) = (old.lines(), new.lines());
    for number in 1.. {
        match (old.next(), new.next()) {
            (None, None) => break,
            (old, new) if old == new => {}
            (old, new) => {
                let end = "(end)";
                return Err(format!(
                    "line {number} is\n  {}\nand should be\n  {}",
                    old.unwrap_or(end),
                    new.unwrap_or(end)
                ));
            }
        }
    }
    Ok(())
}

fn page() -> String {
    let registry = Registry::default();
    let rooms: Vec<&Room> = registry.rooms().collect();
    let mut text =
        format!("<!-- Printed by `{COMMAND}`; do not edit. -->\n# Backends: capabilities and options\n\n");
    text += "What each backend does natively. Layers and the conformance suite read the same data.\n\n";
    text += &capabilities(&rooms);
    text += "\n## Options of every cache\n\nIn a URL's query (`memory://?prefix=shop&timeout=60`) or beside `url` or \
             `backend` in a table.\n\n";
    text += &options(COMMON_OPTIONS);
    for room in &rooms {
        write!(text, "\n## `{}://`\n\n", room.scheme).expect("writing to a string");
        text += &options(room.options);
    }
    text += "\n## Policies of `memory`\n\n";
    for policy in [Policy::S3Fifo, Policy::Lru] {
        writeln!(text, "- `{policy}`: {}", about(policy)).expect("writing to a string");
    }
    text
}

fn about(policy: Policy) -> &'static str {
    match policy {
        Policy::S3Fifo => {
            "newcomers prove themselves in a small queue, so scans do not flush what is in use; sharded"
        }
        Policy::Lru => "exact least-recently-used order and Django's culling, count for count; one shard",
    }
}

fn capabilities(rooms: &[&Room]) -> String {
    let open = |room: &&Room| {
        // Some rooms need to be told where; nothing is made or connected there before the first verb.
        let place = match room.scheme {
            "file" => "/var/cache/hotclub",
            "mysql" | "postgres" => "localhost/hotclub",
            _ => "",
        };
        let url = format!("{}://{place}", room.scheme);
        let cache = Cache::open(&url).expect("every room opens without options");
        cache.backend().capability().rows()
    };
    let columns: Vec<_> = rooms.iter().map(open).collect();
    let names: Vec<String> = rooms.iter().map(|room| format!("`{}`", room.scheme)).collect();
    let mut text = row("", &names) + &row("---", &vec!["---".to_owned(); rooms.len()]);
    for (index, (name, _)) in columns[0].iter().enumerate() {
        let cells: Vec<String> = columns.iter().map(|rows| rows[index].1.clone()).collect();
        text += &row(name, &cells);
    }
    text
}

fn row(name: &str, cells: &[String]) -> String {
    format!("| {name} | {} |\n", cells.join(" | "))
}

fn options(options: &[(&str, &str)]) -> String {
    if options.is_empty() {
        return "No options of its own.\n".to_owned();
    }
    let mut text = "| option | meaning |\n| --- | --- |\n".to_owned();
    options.iter().for_each(|(name, meaning)| text += &format!("| `{name}` | {meaning} |\n"));
    text
}
