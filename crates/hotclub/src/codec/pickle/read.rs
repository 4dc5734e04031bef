//! Pickle's stack machine, without the opcodes that make objects of unknown classes.
use super::Fault;
use super::global::{Global, foreign};
use super::graph::{Graph, Id, Node};
use super::input::{Input, utf8};
use super::opcode::*;
use super::stack::Stack;
use super::text;

/// What a pickle holds, and which node of it the pickle stands for.
pub(super) fn parse(bytes: &[u8]) -> Result<(Graph<'_>, Id), Fault> {
    let mut machine =
        Machine { graph: Graph::new(bytes.len()), input: Input::new(bytes), stack: Stack::new(bytes.len()) };
    let root = machine.run()?;
    Ok((machine.graph, root))
}

struct Machine<'a> {
    graph: Graph<'a>,
    input: Input<'a>,
    stack: Stack,
}

impl<'a> Machine<'a> {
    fn run(&mut self) -> Result<Id, Fault> {
        loop {
            match self.input.u8()? {
                STOP => return self.stack.pop(),
                op => match self.scalar(op)? {
                    Some(node) => self.push(node)?,
                    None => self.step(op)?,
                },
            }
        }
    }

    /// The object that an opcode makes of the bytes after it alone.
    fn scalar(&mut self, op: u8) -> Result<Option<Node<'a>>, Fault> {
        let input = &mut self.input;
        Ok(Some(match op {
            NONE => Node::None,
            NEWTRUE => Node::Bool(true),
            NEWFALSE => Node::Bool(false),
            INT => match input.line_str()? {
                "00" => Node::Bool(false),
                "01" => Node::Bool(true),
                line => text::decimal(line)?,
            },
            LONG => text::decimal(input.line_str()?)?,
            BININT => Node::Int(input.i32()?.into()),
            BININT1 => Node::Int(input.u8()?.into()),
            BININT2 => Node::Int(input.u16()?.into()),
            LONG1 => text::long(input.counted(1)?)?,
            LONG4 => text::long(input.counted(4)?)?,
            FLOAT => Node::Float(input.number()?),
            BINFLOAT => Node::Float(input.f64()?),
            STRING => Node::Str(text::quoted(input.line()?)?.into()),
            SHORT_BINSTRING => Node::Str(text::ascii(input.counted(1)?)?.into()),
            BINSTRING => Node::Str(text::ascii(input.counted(4)?)?.into()),
            UNICODE => Node::Str(text::raw_unicode(input.line()?)?.into()),
            SHORT_BINUNICODE => Node::Str(utf8(input.counted(1)?)?.into()),
            BINUNICODE => Node::Str(utf8(input.counted(4)?)?.into()),
            BINUNICODE8 => Node::Str(utf8(input.counted(8)?)?.into()),
            SHORT_BINBYTES => Node::Bytes(input.counted(1)?.into()),
            BINBYTES => Node::Bytes(input.counted(4)?.into()),
            BINBYTES8 | BYTEARRAY8 => Node::Bytes(input.counted(8)?.into()),
            EMPTY_LIST => Node::List(Vec::new()),
            EMPTY_TUPLE => Node::Tuple(Vec::new()),
            EMPTY_DICT => Node::Dict(Vec::new()),
            EMPTY_SET => Node::Set(Vec::new()),
            _ => return Ok(None),
        }))
    }

    /// An opcode that works on the stack or the memo.
    fn step(&mut self, op: u8) -> Result<(), Fault> {
        match op {
            PROTO => self.protocol(),
            FRAME => self.input.frame(),
            MARK => {
                self.stack.mark();
                Ok(())
            }
            POP => self.stack.discard(),
            POP_MARK => self.stack.take(None).map(drop),
            DUP => self.stack.top().map(|id| self.stack.push(id)),
            LIST => self.gather(None, Node::List),
            DICT => self.gather_dict(),
            FROZENSET => self.gather(None, Node::FrozenSet),
            TUPLE => self.gather(None, Node::Tuple),
            TUPLE1 => self.gather(Some(1), Node::Tuple),
            TUPLE2 => self.gather(Some(2), Node::Tuple),
            TUPLE3 => self.gather(Some(3), Node::Tuple),
            APPEND => self.extend(op, Some(1)),
            SETITEM => self.extend(op, Some(2)),
            APPENDS | SETITEMS | ADDITEMS => self.extend(op, None),
            GLOBAL => self.global(),
            STACK_GLOBAL => self.stack_global(),
            REDUCE => self.reduce(),
            _ => self.remember(op),
        }
    }

    /// An opcode that works on the memo.
    fn remember(&mut self, op: u8) -> Result<(), Fault> {
        match op {
            MEMOIZE => self.stack.memoize(),
            PUT => self.stack.put(self.input.number()?),
            BINPUT => self.stack.put(self.input.u8()?.into()),
            LONG_BINPUT => self.stack.put(self.input.u32()? as usize),
            GET => self.stack.get(self.input.number()?),
            BINGET => self.stack.get(self.input.u8()?.into()),
            LONG_BINGET => self.stack.get(self.input.u32()? as usize),
            INST => Err(foreign(self.input.line_str()?, self.input.line_str()?)),
            _ => Err(self.unknown(op)),
        }
    }

    fn unknown(&self, op: u8) -> Fault {
        let at = self.input.at() - 1;
        Fault(format!("no pickle that this codec reads has the opcode {op:#04x} at byte {at}"))
    }

    fn protocol(&mut self) -> Result<(), Fault> {
        match self.input.u8()? {
            ..=5 => Ok(()),
            newer => Err(Fault(format!("the pickle has protocol {newer}; 5 is the newest that is read"))),
        }
    }

    fn push(&mut self, node: Node<'a>) -> Result<(), Fault> {
        let id = self.graph.add(node)?;
        self.stack.push(id);
        Ok(())
    }

    /// A container of the last objects, so many or those above the last mark.
    fn gather(&mut self, length: Option<usize>, node: fn(Vec<Id>) -> Node<'a>) -> Result<(), Fault> {
        let items = self.stack.take(length)?;
        self.push(node(items))
    }

    fn gather_dict(&mut self) -> Result<(), Fault> {
        let items = self.stack.take(None)?;
        paired(items.len())?;
        self.push(Node::Dict(items))
    }

    /// Adds the last objects, so many or those above the last mark, to the container below them.
    fn extend(&mut self, op: u8, length: Option<usize>) -> Result<(), Fault> {
        let (container, items) = self.stack.take_above(length)?;
        let held = match (op, self.graph.node_mut(container)) {
            (APPEND | APPENDS, Node::List(held)) | (ADDITEMS, Node::Set(held)) => held,
            (SETITEM | SETITEMS, Node::Dict(held)) => {
                paired(items.len())?;
                held
            }
            _ => return Err(Fault::new("the pickle adds items to what is no container of their kind")),
        };
        held.extend(items);
        Ok(())
    }

    fn global(&mut self) -> Result<(), Fault> {
        let global = Global::find(self.input.line_str()?, self.input.line_str()?)?;
        self.push(Node::Global(global))
    }

    fn stack_global(&mut self) -> Result<(), Fault> {
        let (name, module) = (self.stack.pop()?, self.stack.pop()?);
        let (Node::Str(module), Node::Str(name)) = (self.graph.node(module), self.graph.node(name)) else {
            return Err(Fault::new("the pickle names a class by what is no text"));
        };
        let global = Global::find(module, name)?;
        self.push(Node::Global(global))
    }

    fn reduce(&mut self) -> Result<(), Fault> {
        let (arguments, callable) = (self.stack.pop()?, self.stack.pop()?);
        let made = match (self.graph.node(callable), self.graph.node(arguments)) {
            (Node::Global(global), Node::Tuple(arguments)) => global.call(&self.graph, arguments)?,
            _ => return Err(Fault::new("the pickle calls what is no class, or without a tuple")),
        };
        self.push(made)
    }
}

/// Keys and values come in pairs.
fn paired(items: usize) -> Result<(), Fault> {
    if items.is_multiple_of(2) { Ok(()) } else { Err(Fault::new("the pickle has a key without a value")) }
}
