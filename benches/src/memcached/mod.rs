//! Clients of memcached, on one core with a server of the bench's own: CPU of this process, all threads.
//!
//! On one core nobody pays for waking another one, which would cost each client the same and more than all else
//! (the Python rows show it). Each contestant has keys of its own, all of one length.
mod client;
mod core;
mod peers;
mod server;

use crate::row::{Row, in_turns, median, ratio};
use client::{Client, Verb};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

pub(crate) use server::{PROGRAM, is_installed};

type Run = dyn Fn(&Runtime, Verb, usize);

/// One contestant, verified; calls a verb so many times.
struct Entered {
    name: &'static str,
    run: Box<Run>,
}

impl Entered {
    fn new<C: Client + 'static>(runtime: &Runtime, client: C) -> Self {
        let asked = client::Asked::new(client);
        runtime.block_on(asked.verify());
        Entered {
            name: C::NAME,
            run: Box::new(move |runtime, verb, calls| runtime.block_on(asked.run(verb, calls))),
        }
    }
}

/// Clients that block; the first is hotclub's.
pub(crate) fn threads(quick: bool) -> Vec<Row> {
    measured(quick, |runtime, address| {
        vec![
            Entered::new(runtime, peers::hotclub(address)),
            Entered::new(runtime, peers::classic(address)),
            Entered::new(runtime, peers::classic_untested(address)),
            Entered::new(runtime, peers::experimental(address)),
        ]
    })
}

/// Clients of tokio.
pub(crate) fn tasks(quick: bool) -> Vec<Row> {
    measured(quick, |runtime, address| {
        vec![
            Entered::new(runtime, peers::hotclub_tasks(address)),
            Entered::new(runtime, runtime.block_on(peers::async_memcached(address))),
            Entered::new(runtime, runtime.block_on(peers::experimental_async(address))),
        ]
    })
}

fn measured(quick: bool, enter: impl Fn(&Runtime, SocketAddr) -> Vec<Entered>) -> Vec<Row> {
    let (rounds, slice) = if quick { (7, 10) } else { (41, 20) };
    // What is started from here on stays on the core: the server, and all threads of the clients.
    let _kept = core::OneCore::keep();
    let server = server::Server::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime needs only an epoll");
    let contestants = enter(&runtime, server.address);
    let rows = Verb::ALL.into_iter().flat_map(|verb| {
        let length = Duration::from_millis(slice);
        let calls: Vec<usize> =
            contestants.iter().map(|one| calibrated(one, &runtime, verb, length)).collect();
        let times = in_turns(contestants.len(), rounds, |index| {
            let began = core::cpu_of_process();
            (contestants[index].run)(&runtime, verb, calls[index]);
            (core::cpu_of_process() - began) / calls[index] as f64 * 1e6
        });
        compared(&contestants, verb, &times)
    });
    rows.collect()
}

/// How many calls fill a slice of wall time.
fn calibrated(one: &Entered, runtime: &Runtime, verb: Verb, length: Duration) -> usize {
    let mut calls = 1;
    loop {
        let began = Instant::now();
        (one.run)(runtime, verb, calls);
        let taken = began.elapsed();
        if taken >= length / 2 {
            return (calls as f64 * length.as_secs_f64() / taken.as_secs_f64()).max(1.0) as usize;
        }
        calls *= 2;
    }
}

fn compared(contestants: &[Entered], verb: Verb, times: &[Vec<f64>]) -> Vec<Row> {
    let row = |(one, own): (&Entered, &Vec<f64>)| Row {
        case: verb.name().to_owned(),
        contestant: one.name,
        median: median(own.iter().copied()),
        best: own.iter().copied().fold(f64::INFINITY, f64::min),
        unit: "us of CPU a call",
        against: contestants[0].name,
        compared: ratio(own, &times[0]),
        target: None,
    };
    contestants.iter().zip(times).map(row).collect()
}
