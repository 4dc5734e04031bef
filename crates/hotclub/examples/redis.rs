//! A Rust service and a Django site share one cache in Redis, entry by entry.
//!
//! `cargo run -p hotclub --features redis --example redis -- redis://127.0.0.1:6379/1`, and beside it a Django
//! shell with this setting (or Django's own `RedisCache`, or django-redis):
//!
//! ```python
//! CACHES = {"default": {"BACKEND": "hotclub.django.RedisCache", "LOCATION": "redis://127.0.0.1:6379/1"}}
//! ```
//! ```python
//! >>> cache.get("city:paris")               # what this program stored
//! {'name': 'Paris', 'clubs': ['Hot Club de France'], 'founded': None}
//! >>> cache.incr("visits")                  # one counter for both
//! >>> cache.set("city:rome", {"name": "Rome", "clubs": [], "founded": -753})
//! ```
use hotclub::{Cache, ErrorKind, Timeout};
use serde::{Deserialize, Serialize};

/// In Python a dict: fields are keys, `Option` is a value or `None`, a list is a list.
#[derive(Debug, Serialize, Deserialize)]
struct City {
    name: String,
    clubs: Vec<String>,
    founded: Option<i32>,
}

#[tokio::main]
async fn main() -> hotclub::Result<()> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "redis://127.0.0.1:6379/1".to_owned());
    // `codec=django`: pickles, and whole numbers in digits. Key prefix, version and timeout have Django's defaults.
    let cache = Cache::open(&format!("{url}?codec=django"))?;

    let paris: City = cache
        .get_or_set("city:paris", |_| async {
            println!("Paris was not there: made here, for Django too");
            City { name: "Paris".to_owned(), clubs: vec!["Hot Club de France".to_owned()], founded: None }
        })
        .await?;
    println!("{paris:?}");

    match cache.get::<City>("city:rome").await? {
        Some(rome) => println!("{rome:?}, stored by Django"),
        None => println!("Rome is not there: store it from Django"),
    }

    let visits = match cache.incr("visits", 1).await {
        // As in Django, counting starts with a set.
        Err(error) if error.kind() == ErrorKind::KeyNotFound => {
            cache.set_for("visits", &1, Timeout::Never).await?;
            1
        }
        visits => visits?,
    };
    println!("{visits} visits, counted by both");
    Ok(())
}
