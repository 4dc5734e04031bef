//! The first words on a new connection: password, protocol, database, name.
use super::batch::{Answers, Batch, Effect, Replies};
use super::config::{Login, RedisConfig};
use super::error::Problem;
use super::resp::Reply;
use super::topology::service::check_role;

/// Which kind of server is greeted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It holds entries; the number is its place among the servers that were named.
    Data(usize),
    /// It must be a primary, because sentinels said so: it is asked whether it still is.
    Primary,
    /// It holds entries of another one; a replica of a cluster must be told that reading is meant.
    ClusterReplica,
    /// It knows where the primary is.
    Sentinel,
}

/// Writes the commands of the handshake; there may be none to send.
///
/// # Errors
/// [`Problem::Handshake`] if the callable that gives credentials fails.
pub fn greet(batch: &mut Batch, config: &RedisConfig, role: Role) -> Result<(), Problem> {
    batch.start("connect", Effect::Idempotent, false);
    let (login, database) = match (role, &config.credentials) {
        (Role::Sentinel, _) => (config.sentinel_login.clone(), 0),
        (Role::ClusterReplica, None) => (config.login(0), 0),
        (Role::Primary, None) => (config.login(0), config.database(0)),
        (Role::Data(server), None) => (config.login(server), config.database(server)),
        (_, Some(credentials)) => {
            let login = credentials()
                .map_err(|error| Problem::Handshake(format!("the credentials callable failed: {error}")))?;
            let database = match role {
                Role::Data(server) => config.database(server),
                Role::Primary => config.database(0),
                Role::ClusterReplica | Role::Sentinel => 0,
            };
            (login, database)
        }
    };
    authenticate(batch, config, &login);
    if database != 0 {
        batch.command("SELECT", 2).number(i64::from(database));
    }
    if role == Role::ClusterReplica {
        batch.command("READONLY", 1);
    }
    if let Some(name) = &config.client_name {
        batch.command("CLIENT", 3).arg(b"SETNAME").arg(name.as_bytes());
    }
    if role == Role::Primary {
        batch.command("ROLE", 1);
    }
    Ok(())
}

fn authenticate(batch: &mut Batch, config: &RedisConfig, login: &Login) {
    let user = login.username.as_deref();
    match (&login.password, config.protocol) {
        (Some(password), 3) => {
            let user = user.unwrap_or("default");
            let hello = batch.command("HELLO", 5).arg(b"3").arg(b"AUTH");
            hello.arg(user.as_bytes()).arg(password.as_bytes());
        }
        (None, 3) => drop(batch.command("HELLO", 2).arg(b"3")),
        (Some(password), _) => {
            match user {
                Some(user) => batch.command("AUTH", 3).arg(user.as_bytes()).arg(password.as_bytes()),
                None => batch.command("AUTH", 2).arg(password.as_bytes()),
            };
        }
        (None, _) => {}
    }
}

/// Whether the server agreed to everything.
///
/// # Errors
/// The first refusal.
pub fn check(answers: &Answers) -> Result<(), Problem> {
    check_replies(answers.replies())
}

/// The same for replies that lie in a buffer of the caller.
///
/// # Errors
/// The first refusal.
pub fn check_replies(mut replies: Replies<'_>) -> Result<(), Problem> {
    replies.try_for_each(|reply| match reply? {
        // A user who may not ask for the role.
        Reply::Error(text) if text.starts_with(b"NOPERM") && text.ends_with(b"'role' command") => Ok(()),
        // Nothing else of the handshake is answered with an array.
        role @ Reply::Array(_) => check_role(&role),
        Reply::Error(text) => Err(Problem::Handshake(String::from_utf8_lossy(text).into_owned())),
        _ => Ok(()),
    })
}
