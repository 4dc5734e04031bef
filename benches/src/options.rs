//! The command line: what `cargo xtask bench` passes on, and `--only` for who works on one part.
use std::path::PathBuf;

const USAGE: &str = "usage: hotclub-benches [memory|memcached] [--check] [--quick] [--results FOLDER] \
                     [--only throughput|memory|hit-ratio|threads|tasks]";

/// What has peers in Rust.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    Memory,
    Memcached,
}

impl Room {
    pub(crate) const ALL: [Room; 2] = [Room::Memory, Room::Memcached];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Room::Memory => "memory",
            Room::Memcached => "memcached",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Throughput,
    Memory,
    HitRatio,
    Threads,
    Tasks,
}

impl Part {
    pub(crate) const ALL: [Part; 5] =
        [Part::Throughput, Part::Memory, Part::HitRatio, Part::Threads, Part::Tasks];

    pub(crate) fn room(self) -> Room {
        match self {
            Part::Throughput | Part::Memory | Part::HitRatio => Room::Memory,
            Part::Threads | Part::Tasks => Room::Memcached,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Part::Throughput => "throughput",
            Part::Memory => "memory",
            Part::HitRatio => "hit-ratio",
            Part::Threads => "threads",
            Part::Tasks => "tasks",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Part::Throughput => {
                "Throughput: million operations per CPU-second x threads; 100,000 keys, all fit"
            }
            Part::Memory => "Memory: heap bytes an entry beyond its key and its 100 bytes of value",
            Part::HitRatio => "Hit ratio in %; capacity 1 % and 10 % of 200,000 objects",
            Part::Threads => "Memcached for threads: us of CPU a call; TCP, server on the same core",
            Part::Tasks => {
                "Memcached for tasks, one at a time: us of CPU a call; TCP, server on the same core"
            }
        }
    }
}

#[derive(Debug)]
pub(crate) struct Options {
    room: Option<String>,
    pub(crate) check: bool,
    pub(crate) quick: bool,
    pub(crate) results: PathBuf,
    /// Results are printed and not kept.
    pub(crate) only: Option<Part>,
}

impl Options {
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
        let results = PathBuf::from("benches/results");
        let mut options = Options { room: None, check: false, quick: false, results, only: None };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--check" => options.check = true,
                "--quick" => options.quick = true,
                "--results" => options.results = arguments.next().ok_or(USAGE)?.into(),
                "--only" => {
                    let name = arguments.next().ok_or(USAGE)?;
                    let part = Part::ALL.into_iter().find(|part| part.name() == name);
                    options.only = Some(part.ok_or(USAGE)?);
                }
                room if !room.starts_with('-') => options.room = Some(argument),
                _ => return Err(USAGE.to_owned()),
            }
        }
        Ok(options)
    }

    /// Which rooms are asked for; none where a room has no peers in Rust.
    pub(crate) fn rooms(&self) -> Vec<Room> {
        let named = |room: &Room| self.room.as_ref().is_none_or(|name| name == room.name());
        let holds = |room: &Room| self.only.is_none_or(|part| part.room() == *room);
        Room::ALL.into_iter().filter(named).filter(holds).collect()
    }
}
