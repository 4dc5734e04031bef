//! The few classes and functions of Python that a pickle may name here, and what calling them gives.
use super::Fault;
use super::datetime::{Date, DateTime};
use super::graph::{Graph, Id, Node};
use super::text::latin1;
use std::borrow::Cow;
use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Global {
    DateTime,
    Date,
    TimeDelta,
    TimeZone,
    Set,
    FrozenSet,
    Bytes,
    Encode,
    /// Names the class of an object that comes next, in protocols 0 and 1.
    Reconstructor,
}

impl Global {
    pub(super) fn find(module: &str, name: &str) -> Result<Self, Fault> {
        match (module, name) {
            ("datetime", "datetime") => Ok(Global::DateTime),
            ("datetime", "date") => Ok(Global::Date),
            ("datetime", "timedelta") => Ok(Global::TimeDelta),
            ("datetime", "timezone") => Ok(Global::TimeZone),
            ("builtins" | "__builtin__", "set") => Ok(Global::Set),
            ("builtins" | "__builtin__", "frozenset") => Ok(Global::FrozenSet),
            ("builtins" | "__builtin__", "bytes" | "bytearray") => Ok(Global::Bytes),
            ("_codecs", "encode") => Ok(Global::Encode),
            ("copyreg" | "copy_reg", "_reconstructor") => Ok(Global::Reconstructor),
            _ => Err(foreign(module, name)),
        }
    }
}

/// The name that Python knows it by.
impl fmt::Display for Global {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Global::DateTime => "datetime.datetime",
            Global::Date => "datetime.date",
            Global::TimeDelta => "datetime.timedelta",
            Global::TimeZone => "datetime.timezone",
            Global::Set => "builtins.set",
            Global::FrozenSet => "builtins.frozenset",
            Global::Bytes => "builtins.bytes",
            Global::Encode => "_codecs.encode",
            Global::Reconstructor => "copyreg._reconstructor",
        })
    }
}

/// The error that names a class; both names may be long, or anything.
pub(super) fn foreign(module: &str, name: &str) -> Fault {
    let class = format!("{module}.{name}");
    Fault::foreign(super::input::shortened(&class).escape_debug())
}

impl Global {
    /// The object that calling it with these arguments makes.
    pub(super) fn call<'a>(self, graph: &Graph<'a>, arguments: &[Id]) -> Result<Node<'a>, Fault> {
        // None of them takes more than three; a long list must not be walked again and again.
        let arguments: Vec<_> = arguments.iter().take(4).map(|&id| graph.node(id)).collect();
        let made = match self {
            Global::DateTime => datetime(&arguments),
            Global::Date => date(&arguments),
            Global::TimeDelta => timedelta(&arguments),
            Global::TimeZone => timezone(&arguments),
            Global::Set => copied(graph, &arguments)?.map(Node::Set),
            Global::FrozenSet => copied(graph, &arguments)?.map(Node::FrozenSet),
            Global::Bytes | Global::Encode => encoded(graph, &arguments)?.map(Node::Bytes),
            Global::Reconstructor => None,
        };
        made.ok_or_else(|| Fault(format!("the pickle makes a {self} of arguments that do not fit")))
    }
}

/// `set([1, 2])`
fn copied<'a>(graph: &Graph<'a>, arguments: &[&Node<'a>]) -> Result<Option<Vec<Id>>, Fault> {
    match arguments {
        [] => Ok(Some(Vec::new())),
        [Node::List(items) | Node::Tuple(items)] => {
            graph.spend(items.len())?;
            Ok(Some(items.clone()))
        }
        _ => Ok(None),
    }
}

/// `encode("\xff", "latin1")`, `bytes()`, `bytearray(b"a")`, `bytearray("a", "latin-1")`
fn encoded<'a>(graph: &Graph<'a>, arguments: &[&Node<'a>]) -> Result<Option<Cow<'a, [u8]>>, Fault> {
    match arguments {
        [] => Ok(Some(Cow::Borrowed(&[]))),
        [Node::Bytes(bytes)] => {
            graph.spend_bytes(bytes.len())?;
            Ok(Some(bytes.clone()))
        }
        [Node::Str(text), Node::Str(encoding)] if matches!(&**encoding, "latin1" | "latin-1") => {
            graph.spend_bytes(text.len())?;
            Ok(Some(latin1(text)?.into()))
        }
        _ => Ok(None),
    }
}

fn datetime<'a>(arguments: &[&Node<'a>]) -> Option<Node<'a>> {
    let (state, offset) = match arguments {
        [Node::Bytes(state)] | [Node::Bytes(state), Node::None] => (state, None),
        [Node::Bytes(state), Node::TimeZone(offset)] => (state, Some(*offset)),
        _ => return None,
    };
    let naive = DateTime::from_state(state.as_ref().try_into().ok()?)?;
    Some(Node::DateTime(match offset {
        Some(seconds) => naive.with_offset(seconds)?,
        None => naive,
    }))
}

fn date<'a>(arguments: &[&Node<'a>]) -> Option<Node<'a>> {
    let [Node::Bytes(state)] = arguments else { return None };
    Date::from_state(state.as_ref().try_into().ok()?).map(Node::Date)
}

/// `timedelta(days, seconds, microseconds)`, which is read only as the offset of a time zone: less than a
/// day, and in whole seconds.
fn timedelta<'a>(arguments: &[&Node<'a>]) -> Option<Node<'a>> {
    let [Node::Int(days), Node::Int(seconds), Node::Int(microseconds)] = arguments else { return None };
    let total = days.checked_mul(86_400)?.checked_add(*seconds)?;
    Some(Node::TimeDelta(i32::try_from(total).ok().filter(|_| *microseconds == 0)))
}

/// `timezone(timedelta)`, or with a name, which is dropped.
fn timezone<'a>(arguments: &[&Node<'a>]) -> Option<Node<'a>> {
    match arguments {
        [Node::TimeDelta(Some(offset))] | [Node::TimeDelta(Some(offset)), Node::Str(_)] => {
            Some(Node::TimeZone(*offset))
        }
        _ => None,
    }
}
