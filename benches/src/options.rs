//! The command line: what `cargo xtask bench` passes on, and `--only` for who works on one part.
use std::path::PathBuf;

const USAGE: &str = "usage: hotclub-benches [memory] [--check] [--quick] [--results FOLDER] \
                     [--only throughput|memory|hit-ratio]";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Throughput,
    Memory,
    HitRatio,
}

impl Part {
    pub(crate) const ALL: [Part; 3] = [Part::Throughput, Part::Memory, Part::HitRatio];

    fn name(self) -> &'static str {
        match self {
            Part::Throughput => "throughput",
            Part::Memory => "memory",
            Part::HitRatio => "hit-ratio",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Part::Throughput => {
                "Throughput: million operations per CPU-second x threads; 100,000 keys, all fit"
            }
            Part::Memory => "Memory: heap bytes an entry beyond its key and its 100 bytes of value",
            Part::HitRatio => "Hit ratio in %; capacity 1 % and 10 % of 200,000 objects",
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

    /// So far the only room with peers in Rust.
    pub(crate) fn has_room(&self) -> bool {
        self.room.as_ref().is_none_or(|room| room == "memory")
    }
}
