//! Rooms never open onto each other: a room names no other room, and hardly anybody else names one.

use std::fs;
use std::path::Path;

use crate::house::{Source, Violations};
use crate::shell::{Failure, Result};

const CRATE: &str = "crates/hotclub/src";

/// Who may name rooms besides themselves, and why.
const MAY_NAME_ROOMS: [(&str, &str); 8] = [
    ("registry.rs", "the one list of backends"),
    ("testing/", "judges every room"),
    ("fill/tests.rs", "tests need some backend below"),
    ("fill/tests/", "tests need some backend below"),
    ("lib.rs", "re-exports what users name"),
    ("cache.rs", "`Cache::memory()`, for the first example"),
    ("blocking.rs", "`Cache::memory()`, for the first example"),
    ("backend/mod.rs", "declares the modules"),
];

/// The rooms that answer without waiting; an async runtime has no business in them.
const IN_PROCESS: [&str; 4] = ["dummy", "memory", "shared", "file"];
const RUNTIMES: [&str; 3] = ["tokio", "async_std", "smol"];

/// The files of the contract itself, beside which the rooms stand.
const CONTRACT: [&str; 5] = ["mod", "capability", "lease", "op", "options"];

/// The names of the rooms: the files and folders beside the contract.
pub(crate) fn rooms(root: &Path) -> Result<Vec<String>> {
    let folder = root.join(CRATE).join("backend");
    let entries = fs::read_dir(&folder)
        .map_err(|error| Failure::said(format!("{CRATE}/backend, where the rooms are: {error}")))?;
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut rooms: Vec<String> = names.map(|name| name.trim_end_matches(".rs").to_owned()).collect();
    rooms.retain(|name| !CONTRACT.contains(&name.as_str()));
    rooms.sort();
    Ok(rooms)
}

/// Checks who names whom.
pub(crate) fn check(root: &Path, sources: &[Source], violations: &mut Violations) -> Result<()> {
    let rooms = rooms(root)?;
    for source in sources.iter().filter(|source| source.is("rs")) {
        if let Ok(path) = source.path.strip_prefix(CRATE) {
            check_file(source, &path.to_string_lossy(), &rooms, violations);
        }
    }
    Ok(())
}

fn check_file(source: &Source, path: &str, rooms: &[String], violations: &mut Violations) {
    let own = room_of(path);
    let code = code_lines(&source.text);
    if !may_name_rooms(path) {
        for (line, room) in rooms_named(&code, rooms).into_iter().filter(|(_, room)| Some(*room) != own) {
            let rule = "only the registry knows every room, and a room knows only itself";
            violations.add(&source.path, line, &format!("names the room `{room}`; {rule}"));
        }
    }
    if own.is_some_and(|own| IN_PROCESS.contains(&own)) {
        for (line, text) in &code {
            if let Some(runtime) = RUNTIMES.iter().find(|runtime| has_word(text, runtime)) {
                let what = format!("names `{runtime}`; a room in process never knows an async runtime");
                violations.add(&source.path, *line, &what);
            }
        }
    }
}

fn may_name_rooms(path: &str) -> bool {
    let allowed = |(name, _): &(&str, &str)| path == *name || (name.ends_with('/') && path.starts_with(name));
    MAY_NAME_ROOMS.iter().any(allowed)
}

/// `backend/memory/store.rs` belongs to `memory`.
fn room_of(path: &str) -> Option<&str> {
    let first = path.strip_prefix("backend/")?.split('/').next()?;
    Some(first.trim_end_matches(".rs")).filter(|room| !CONTRACT.contains(room))
}

/// The lines that are code of the product: without comments, and up to the tests at the end of the file.
fn code_lines(text: &str) -> Vec<(usize, &str)> {
    let product = text.lines().take_while(|line| *line != "#[cfg(test)]");
    let numbered = product.enumerate().map(|(index, line)| (index + 1, without_comment(line)));
    numbered.filter(|(_, line)| !line.is_empty()).collect()
}

fn without_comment(line: &str) -> &str {
    line.split("//").next().unwrap_or_default().trim()
}

/// Every line that names a room: by path, by its type names, or in a `use` of several lines.
fn rooms_named<'a>(code: &[(usize, &str)], rooms: &'a [String]) -> Vec<(usize, &'a str)> {
    let mut found = Vec::new();
    let mut in_use_of_backend = false;
    for (line, text) in code {
        let words = words_that_name_rooms(text, in_use_of_backend);
        found
            .extend(rooms.iter().filter(|room| names(text, room, &words)).map(|room| (*line, room.as_str())));
        let opens = text.contains("backend::{") && !text.contains(';');
        in_use_of_backend = (in_use_of_backend || opens) && !text.contains(';');
    }
    found
}

/// The words of a line that stand where a room's name would: behind `backend::`, `super::`, or in their braces.
fn words_that_name_rooms(text: &str, in_use_of_backend: bool) -> Vec<&str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut words: Vec<&str> = Vec::new();
    for start in ["backend::", "super::"] {
        words.extend(text.split(start).skip(1).filter_map(|rest| rest.split(|c| !is_word(c)).next()));
    }
    if in_use_of_backend || text.contains("backend::{") {
        words.extend(text.split(|c| !is_word(c)));
    }
    words
}

fn names(text: &str, room: &str, words: &[&str]) -> bool {
    let mut kind = room.to_owned();
    kind[..1].make_ascii_uppercase();
    words.contains(&room) || ["Backend", "Config"].iter().any(|end| has_word(text, &format!("{kind}{end}")))
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|found| found == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(path: &str, text: &str) -> Vec<String> {
        let rooms = ["dummy", "memory", "redis"].map(str::to_owned);
        let path = Path::new(CRATE).join(path);
        let source = Source { path: path.clone(), text: text.to_owned() };
        let mut violations = Violations::default();
        check_file(&source, &path.strip_prefix(CRATE).unwrap().to_string_lossy(), &rooms, &mut violations);
        violations.0
    }

    #[test]
    fn a_room_may_not_name_another() {
        for line in [
            "use crate::backend::memory::Store;",
            "use super::super::memory;",
            "use crate::MemoryBackend;",
            "use crate::backend::{Backend, memory};",
            "use crate::backend::{\n    memory::Store,\n};",
        ] {
            assert_eq!(named("backend/redis/mod.rs", line).len(), 1, "{line}");
        }
    }

    #[test]
    fn a_room_may_name_itself_and_anybody_may_in_comments_and_tests() {
        assert!(named("backend/memory/mod.rs", "use crate::backend::memory::Store;").is_empty());
        assert!(named("fill/flight.rs", "/// Unlike [`crate::backend::memory`].").is_empty());
        assert!(named("fill/flight.rs", "#[cfg(test)]\nmod tests { use crate::MemoryBackend; }").is_empty());
        assert!(named("fill/flight.rs", "let memory = 3;").is_empty());
    }

    #[test]
    fn only_the_registry_names_rooms() {
        assert!(named("registry.rs", "use crate::backend::memory::Store;").is_empty());
        assert!(named("testing/model.rs", "use crate::backend::memory::Store;").is_empty());
        assert_eq!(named("tag.rs", "use crate::backend::memory::Store;").len(), 1);
    }

    #[test]
    fn rooms_in_process_know_no_runtime() {
        assert_eq!(named("backend/memory/store.rs", "use tokio::sync::Mutex;").len(), 1);
        assert!(named("backend/redis/tokio.rs", "use tokio::sync::Mutex;").is_empty());
    }
}
