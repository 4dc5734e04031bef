//! A few verbs over the nodes that are named: `cargo run -p hotclub-memcached --example fleet -- 127.0.0.1:11211 …`.
use hotclub_memcached::{Client, Config, DEFAULT_PORT, Distribution, Key, Server, SetOptions};
use std::env;
use std::error::Error;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let mut names: Vec<String> = env::args().skip(1).collect();
    if names.is_empty() {
        names.push("127.0.0.1:11211".to_owned());
    }
    let servers =
        names.iter().map(|name| Server::parse(name, DEFAULT_PORT)).collect::<Result<Vec<_>, _>>()?;
    let mut config = Config::new(servers)?;
    config.distribution = Distribution::Ketama;
    let client = Client::new(config)?;

    let keys: Vec<String> = (1..=1000).map(|number| format!("example:{number}")).collect();
    let items: Vec<(&str, &[u8])> = keys.iter().map(|key| (key.as_str(), key.as_bytes())).collect();
    let began = Instant::now();
    let stored = client.set_many(&items, &SetOptions::lasting(60))?;
    println!(
        "{} of {} values stored in {:?}",
        stored.iter().filter(|&&one| one).count(),
        keys.len(),
        began.elapsed()
    );

    let names: Vec<&str> = keys.iter().map(String::as_str).collect();
    let began = Instant::now();
    let found = client.get_many(&names)?.into_iter().flatten().count();
    println!("{found} found in {:?}, over {} connections", began.elapsed(), client.connections());
    for key in &names[..3] {
        println!("{key} is at {}", client.place_of(&Key::new(*key)?));
    }
    println!("{} deleted", client.delete_many(&names)?);
    Ok(())
}
