//! How a server is to be started.
use super::RedisServer;
use super::certificates::Certificates;
use std::path::Path;

/// What a server with TLS asks of its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificate {
    /// A client must show a certificate of the authority.
    Required,
    /// A client's certificate is not even looked at.
    NotAsked,
}

/// How a [`RedisServer`] is to be started: the names of redis.conf in whole words.
///
/// The default is a server without a password, without persistence, with 16 databases. A unix socket is always
/// there ([`RedisServer::unix_path`]); the server's own administration goes over it.
#[derive(Debug, Clone, Default)]
pub struct RedisOptions {
    pub(super) password: Option<String>,
    pub(super) tls: Option<ClientCertificate>,
    pub(super) is_cluster: bool,
    pub(super) sentinel: Option<String>,
    arguments: Vec<(String, Vec<String>)>,
}

impl RedisOptions {
    /// The default.
    pub fn new() -> Self {
        RedisOptions::default()
    }

    /// `requirepass`: what the default user must say.
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// One more user, who may do everything; the default user stays.
    #[must_use]
    pub fn user(self, name: &str, password: &str) -> Self {
        let password = format!(">{password}");
        self.argument("user", &[name, "on", &password, "~*", "&*", "+@all"])
    }

    /// `maxmemory`, as `2mb`; what does not fit is refused with an OOM error, nothing is evicted.
    #[must_use]
    pub fn max_memory(self, size: &str) -> Self {
        self.argument("maxmemory", &[size]).argument("maxmemory-policy", &["noeviction"])
    }

    /// `databases`: how many there are, 16 if nothing is said.
    #[must_use]
    pub fn databases(self, count: usize) -> Self {
        self.argument("databases", &[&count.to_string()])
    }

    /// TLS with the [`Certificates`] of this process, on the one port there is: nothing answers there without it.
    #[must_use]
    pub fn tls(mut self, client: ClientCertificate) -> Self {
        self.tls = Some(client);
        self
    }

    /// A replica of this server, with the same password.
    #[must_use]
    pub fn replica_of(self, primary: &RedisServer) -> Self {
        let options = self.argument("replicaof", &["127.0.0.1", &primary.port().to_string()]);
        match primary.password() {
            Some(password) => options.argument("masterauth", &[password]),
            None => options,
        }
    }

    /// `cluster-enabled`: a node that knows nobody yet; [`RedisCluster`](super::RedisCluster) introduces them.
    #[must_use]
    pub fn cluster(mut self) -> Self {
        self.is_cluster = true;
        self
    }

    /// A sentinel, which watches what its configuration file names.
    pub(super) fn sentinel(mut self, file: String) -> Self {
        self.sentinel = Some(file);
        self
    }

    /// Any other line of redis.conf: `argument("timeout", &["1"])`.
    #[must_use]
    pub fn argument(mut self, name: &str, values: &[&str]) -> Self {
        self.arguments.push((name.to_owned(), values.iter().map(|value| (*value).to_owned()).collect()));
        self
    }

    /// The command line, for a server in this folder.
    pub(super) fn command_line(&self, folder: &Path, port: u16, bus: u16) -> Vec<String> {
        let mut line = Line::default();
        if self.sentinel.is_some() {
            line.words.extend([in_folder(folder, "sentinel.conf"), "--sentinel".into()]);
        }
        line.add("bind", &["127.0.0.1"]);
        line.add("dir", &[&folder.display().to_string()]);
        line.add("unixsocket", &[&in_folder(folder, "socket")]);
        self.add_ports(&mut line, port, bus);
        if self.sentinel.is_none() {
            line.add("save", &[""]);
            line.add("appendonly", &["no"]);
            // A replica gets its copy at once and not after five seconds.
            line.add("repl-diskless-sync-delay", &["0"]);
        }
        if let Some(password) = &self.password {
            line.add("requirepass", &[password]);
        }
        self.arguments.iter().for_each(|(name, values)| line.add_all(name, values));
        line.words
    }

    fn add_ports(&self, line: &mut Line, port: u16, bus: u16) {
        let port = port.to_string();
        match self.tls {
            None => line.add("port", &[&port]),
            Some(client) => {
                line.add("port", &["0"]);
                line.add("tls-port", &[&port]);
                self.add_certificates(line, client);
            }
        }
        if self.is_cluster {
            line.add("cluster-enabled", &["yes"]);
            line.add("cluster-port", &[&bus.to_string()]);
            line.add("cluster-node-timeout", &["2000"]);
        }
    }

    fn add_certificates(&self, line: &mut Line, client: ClientCertificate) {
        let files = Certificates::get();
        let asked = if client == ClientCertificate::Required { "yes" } else { "no" };
        line.add("tls-cert-file", &[&files.server_certificate().display().to_string()]);
        line.add("tls-key-file", &[&files.server_key().display().to_string()]);
        line.add("tls-ca-cert-file", &[&files.authority().display().to_string()]);
        line.add("tls-auth-clients", &[asked]);
        line.add("tls-replication", &["yes"]);
        line.add("tls-cluster", &[if self.is_cluster { "yes" } else { "no" }]);
    }
}

fn in_folder(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

/// A command line that grows.
#[derive(Default)]
struct Line {
    words: Vec<String>,
}

impl Line {
    fn add(&mut self, name: &str, values: &[&str]) {
        self.words.push(format!("--{name}"));
        self.words.extend(values.iter().map(|value| (*value).to_owned()));
    }

    fn add_all(&mut self, name: &str, values: &[String]) {
        self.words.push(format!("--{name}"));
        self.words.extend_from_slice(values);
    }
}
