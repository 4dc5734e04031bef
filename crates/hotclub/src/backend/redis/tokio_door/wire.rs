//! One connection that many tasks share. Socket, TLS and greeting are ours; the crate carries requests over it.
use super::translate;
use crate::backend::redis::batch::Received;
use crate::backend::redis::config::RedisConfig;
use crate::backend::redis::error::Problem;
use crate::backend::redis::handshake::Role;
use crate::backend::redis::server::Server;
use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, RedisConnectionInfo};
use std::future::{Future, poll_fn};
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::timeout;

/// A connection that has been greeted. It ends when nobody holds it any more, whatever is still under way.
#[derive(Debug)]
pub(super) struct Wire {
    connection: MultiplexedConnection,
    /// Writes and reads; belongs to the runtime that made this, and ends with it.
    driver: AbortHandle,
    /// Ends with the driver.
    running: watch::Receiver<()>,
    /// The same socket once more, to look whether it is still open.
    socket: OwnedFd,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Wire {
    pub(super) async fn open(server: &Server, config: &RedisConfig, role: Role) -> Result<Wire, Problem> {
        let (stream, socket) = hotclub_net::tasks::open(server, config, role).await?;
        // Limits are kept outside, where one covers a whole exchange.
        let settings = AsyncConnectionConfig::new().set_response_timeout(None);
        let nothing_to_say = RedisConnectionInfo::default().set_skip_set_lib_name();
        let (connection, driver) = MultiplexedConnection::new_with_config(&nothing_to_say, stream, settings)
            .await
            .map_err(|error| translate::problem(&error))?;
        let (ends, running) = watch::channel(());
        let driver = tokio::spawn(async move {
            driver.await;
            drop(ends);
        });
        Ok(Wire { connection, driver: driver.abort_handle(), running, socket })
    }

    /// Sends commands and puts so many replies behind what is in `received`. Whoever stops waiting disturbs nobody:
    /// the replies are dropped when they come.
    pub(super) async fn exchange(
        &self,
        bytes: &[u8],
        replies: usize,
        limit: Duration,
        received: &mut Received,
    ) -> Result<(), Problem> {
        let mut connection = self.connection.clone();
        let commands = translate::commands(bytes, replies)?;
        let exchange = async {
            // Alone, a command also hears of replies that cannot be read; in company it hears that there are none.
            let mut each = commands.cmd_iter();
            match (each.next(), each.next()) {
                (Some(alone), None) => Ok(vec![connection.send_packed_command(alone).await?]),
                _ => connection.send_packed_commands(&commands, 0, replies).await,
            }
        };
        let values = match timeout(limit, self.while_it_runs(exchange)).await {
            Ok(values) => values?.map_err(|error| translate::problem(&error))?,
            Err(_) => return Err(Problem::ReplyLimit(limit)),
        };
        values.iter().for_each(|value| translate::reply(value, received));
        Ok(())
    }

    /// What comes of this, as long as the driver runs.
    ///
    /// A request that enters the driver's channel at the very moment when the driver leaves it is read by nobody, and
    /// is kept there by the sender of the task that waits for its reply: it would wait for the whole limit.
    async fn while_it_runs<T>(&self, exchange: impl Future<Output = T>) -> Result<T, Problem> {
        let mut running = self.running.clone();
        let (mut exchange, mut end) = (pin!(exchange), pin!(running.changed()));
        // Replies first: the last of them may have come just before the end.
        poll_fn(|context| match exchange.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Ok(done)),
            Poll::Pending => end.as_mut().poll(context).map(|_| Err(closed())),
        })
        .await
    }

    /// Whether nothing is known against it.
    pub(super) fn is_alive(&self) -> bool {
        !self.driver.is_finished()
    }

    /// Whether it can be used for a request that must not be lost: looks at the socket, one system call.
    pub(super) fn is_open(&self) -> bool {
        hotclub_net::tasks::is_open(&self.socket)
    }
}

fn closed() -> Problem {
    Problem::lost(&std::io::ErrorKind::UnexpectedEof.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use tokio::runtime::Builder;

    #[test]
    fn a_request_that_nobody_reads_any_more_ends_with_the_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Server::Tcp("127.0.0.1".into(), listener.local_addr().unwrap().port());
        let config = RedisConfig::new(vec![server.clone()]).unwrap();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let wire = Wire::open(&server, &config, Role::Data(0)).await.unwrap();
            drop(listener.accept().unwrap());
            let stuck = timeout(Duration::from_secs(4), wire.while_it_runs(std::future::pending::<()>()));
            assert!(matches!(stuck.await, Ok(Err(Problem::Lost(_)))));
            assert!(matches!(wire.while_it_runs(async { 1 }).await, Ok(1)), "what has come still counts");
        });
    }
}
