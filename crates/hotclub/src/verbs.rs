//! The verbs of both doors, written once: encode, ask the backend, decode.
//!
//! `verbs!` is expanded by `cache.rs` (async) and `blocking.rs`. They differ in how a function is declared
//! and how the backend is asked, so each hands in two macros: `ask!` and `wait!`. `get_or_set` has loaders
//! of two shapes and lives in the doors.

macro_rules! verbs {
    ($($async:ident)?) => {
        /// Reads a value; `None` is a miss.
        ///
        /// # Errors
        /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) if the entry is no value of this type.
        pub $($async)? fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
            let entry = wait!(self.entry(key))?;
            self.0.open_maybe(key, entry)
        }

        $($async)? fn entry(&self, key: &str) -> Result<Option<Entry>> {
            let core = &*self.0;
            let full = core.full_key(key)?;
            let call = Call::begin();
            let got = ask!(core, get aget (&full, &GetOptions::default()));
            core.trace_get(call, key, &got);
            got
        }

        /// Stores a value for the cache's default timeout.
        ///
        /// # Errors
        /// [`ErrorKind::Encode`](crate::ErrorKind::Encode) if the codec has no form for the value.
        pub $($async)? fn set<T: Serialize + ?Sized>(&self, key: &str, value: &T) -> Result<()> {
            wait!(self.set_for(key, value, Timeout::Default))
        }

        /// Stores a value for this long: a `Duration`, whole seconds, or `None` for ever. Zero and negative
        /// numbers store nothing, remove what was there, and are no error.
        ///
        /// # Errors
        /// As [`set`](Self::set).
        pub $($async)? fn set_for<T: Serialize + ?Sized>(
            &self,
            key: &str,
            value: &T,
            timeout: impl Into<Timeout>,
        ) -> Result<()> {
            wait!(self.write("set", key, value, timeout.into(), Condition::Always)).map(drop)
        }

        /// Stores a value only if there is none; whether it was stored.
        ///
        /// # Errors
        /// As [`set`](Self::set).
        pub $($async)? fn add<T: Serialize + ?Sized>(&self, key: &str, value: &T) -> Result<bool> {
            wait!(self.add_for(key, value, Timeout::Default))
        }

        /// [`add`](Self::add) with a timeout.
        ///
        /// # Errors
        /// As [`set`](Self::set).
        pub $($async)? fn add_for<T: Serialize + ?Sized>(
            &self,
            key: &str,
            value: &T,
            timeout: impl Into<Timeout>,
        ) -> Result<bool> {
            wait!(self.write("add", key, value, timeout.into(), Condition::IfAbsent))
        }

        $($async)? fn write<T: Serialize + ?Sized>(
            &self,
            action: &'static str,
            key: &str,
            value: &T,
            timeout: Timeout,
            condition: Condition,
        ) -> Result<bool> {
            let (bytes, options) = self.0.seal(action, value, timeout, condition)?;
            wait!(self.write_bytes(action, key, bytes, &options))
        }

        $($async)? fn write_bytes(
            &self,
            action: &'static str,
            key: &str,
            bytes: Bytes,
            options: &SetOptions,
        ) -> Result<bool> {
            let core = &*self.0;
            let full = core.full_key(key)?;
            let call = Call::begin();
            let done = ask!(core, set aset (&full, bytes, options));
            core.trace_write(call, action, key, options.life, &done);
            done
        }

        /// Reads many values: those that are there, by the caller's keys.
        ///
        /// # Errors
        /// As [`get`](Self::get).
        pub $($async)? fn get_many<T, K>(&self, keys: impl IntoIterator<Item = K>) -> Result<HashMap<String, T>>
        where
            T: DeserializeOwned,
            K: AsRef<str>,
        {
            let core = &*self.0;
            let keys: Vec<String> = keys.into_iter().map(|key| key.as_ref().to_owned()).collect();
            if keys.is_empty() {
                return Ok(HashMap::new());
            }
            let full: Vec<FullKey> = keys.iter().map(|key| core.full_key(key)).collect::<Result<_>>()?;
            let full: Vec<&str> = full.iter().map(|key| &**key).collect();
            let call = Call::begin();
            let got = ask!(core, get_many aget_many (&full, &GetOptions::default()));
            core.trace_other(call, || format!("get_many({keys:?})"), &got.as_ref().map(|got| {
                Shown(format!("{} of {}", got.iter().flatten().count(), keys.len()))
            }).map_err(Clone::clone));
            let found = keys.into_iter().zip(got?);
            let opened = found.filter_map(|(key, entry)| {
                let value = core.open(&key, &entry?);
                Some(value.map(|value| (key, value)))
            });
            opened.collect()
        }

        /// Stores many values for the cache's default timeout; the keys that could not be stored.
        ///
        /// # Errors
        /// As [`set`](Self::set); then nothing was stored.
        pub $($async)? fn set_many<K, T>(&self, items: impl IntoIterator<Item = (K, T)>) -> Result<Vec<String>>
        where
            K: AsRef<str>,
            T: Serialize,
        {
            wait!(self.set_many_for(items, Timeout::Default))
        }

        /// [`set_many`](Self::set_many) with a timeout.
        ///
        /// # Errors
        /// As [`set`](Self::set); then nothing was stored.
        pub $($async)? fn set_many_for<K, T>(
            &self,
            items: impl IntoIterator<Item = (K, T)>,
            timeout: impl Into<Timeout>,
        ) -> Result<Vec<String>>
        where
            K: AsRef<str>,
            T: Serialize,
        {
            let core = &*self.0;
            let batch = Batch::seal(core, items)?;
            if batch.keys.is_empty() {
                return Ok(Vec::new());
            }
            let options = SetOptions::new(core.life(timeout.into()));
            let call = Call::begin();
            let items: Vec<Item<'_>> = batch.items();
            let written = ask!(core, set_many aset_many (&items, &options));
            drop(items);
            core.trace_other(call, || format!("set_many({:?})", batch.keys), &written);
            Ok(batch.failed(&written?))
        }

        /// Removes an entry; whether there was one. Removing what is not there is safe.
        ///
        /// # Errors
        /// Those of the backend.
        pub $($async)? fn delete(&self, key: &str) -> Result<bool> {
            let core = &*self.0;
            let full = core.full_key(key)?;
            let call = Call::begin();
            let done = ask!(core, delete adelete (&full));
            core.trace_delete(call, key, &done);
            done
        }

        /// Removes many entries; how many there were.
        ///
        /// # Errors
        /// Those of the backend.
        pub $($async)? fn delete_many<K: AsRef<str>>(&self, keys: impl IntoIterator<Item = K>) -> Result<u64> {
            let core = &*self.0;
            let full: Vec<FullKey> =
                keys.into_iter().map(|key| core.full_key(key.as_ref())).collect::<Result<_>>()?;
            if full.is_empty() {
                return Ok(0);
            }
            let full: Vec<&str> = full.iter().map(|key| &**key).collect();
            let call = Call::begin();
            let done = ask!(core, delete_many adelete_many (&full));
            core.trace_other(call, || format!("delete_many({full:?})"), &done);
            done
        }

        /// Removes **every** entry of the store, also those of other prefixes, as Django's `clear`.
        ///
        /// # Errors
        /// Those of the backend.
        pub $($async)? fn clear(&self) -> Result<()> {
            wait!(self.clear_scope(Scope::All, "clear()"))
        }

        /// Removes the entries of this cache's prefix, in all versions. O(entries) on most backends.
        ///
        /// # Errors
        /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) under a custom key function, or where
        /// the backend cannot ([`Capability::clear_prefix`](crate::backend::Capability::clear_prefix)).
        pub $($async)? fn clear_prefix(&self) -> Result<()> {
            let prefix = self.0.namespace.shared_prefix().ok_or_else(|| self.0.no_prefix())?;
            wait!(self.clear_scope(Scope::Prefix(&prefix), "clear_prefix()"))
        }

        $($async)? fn clear_scope(&self, scope: Scope<'_>, action: &str) -> Result<()> {
            let core = &*self.0;
            let call = Call::begin();
            let done = ask!(core, clear aclear (scope));
            core.trace_other(call, || action.to_owned(), &done);
            done
        }

        /// Gives an entry a new timeout; whether there is one. Zero and negative numbers remove it.
        ///
        /// # Errors
        /// Those of the backend.
        pub $($async)? fn touch(&self, key: &str, timeout: impl Into<Timeout>) -> Result<bool> {
            let core = &*self.0;
            let full = core.full_key(key)?;
            let life = core.life(timeout.into());
            let call = Call::begin();
            let done = ask!(core, touch atouch (&full, life));
            core.trace_other(call, || format!("touch({key:?})"), &done);
            done
        }

        /// Adds `delta` to the whole number under `key` and returns the sum. The entry keeps its deadline.
        ///
        /// Atomic across those who share the store where
        /// [`Capability::atomic_incr`](crate::backend::Capability::atomic_incr) is set.
        ///
        /// # Errors
        /// A miss is [`ErrorKind::KeyNotFound`](crate::ErrorKind::KeyNotFound), as Django's `ValueError`, and
        /// creates nothing; a value that is no whole number is
        /// [`ErrorKind::NotAnInteger`](crate::ErrorKind::NotAnInteger) and stays as it is.
        pub $($async)? fn incr(&self, key: &str, delta: impl Into<i128>) -> Result<i128> {
            let core = &*self.0;
            let (full, delta) = (core.full_key(key)?, delta.into());
            let call = Call::begin();
            let done = ask!(core, incr aincr (&full, delta));
            core.trace_other(call, || format!("incr({key:?}, {delta})"), &done);
            done
        }

        /// Subtracts `delta` from the whole number under `key`; see [`incr`](Self::incr).
        ///
        /// # Errors
        /// As [`incr`](Self::incr).
        pub $($async)? fn decr(&self, key: &str, delta: impl Into<i128>) -> Result<i128> {
            wait!(self.incr(key, delta.into().saturating_neg()))
        }

        /// Whether there is a live entry. Does not count as use of it.
        ///
        /// # Errors
        /// Those of the backend.
        pub $($async)? fn has(&self, key: &str) -> Result<bool> {
            let core = &*self.0;
            let full = core.full_key(key)?;
            let call = Call::begin();
            let done = ask!(core, get aget (&full, &GetOptions::peek())).map(|entry| entry.is_some());
            core.trace_other(call, || format!("has({key:?})"), &done);
            done
        }

        /// Time left to an entry.
        ///
        /// # Errors
        /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) where the backend cannot tell
        /// ([`Capability::ttl_readable`](crate::backend::Capability::ttl_readable)).
        pub $($async)? fn ttl(&self, key: &str) -> Result<Ttl> {
            let core = &*self.0;
            let full = core.full_key(key)?;
            let entry = ask!(core, get aget (&full, &Core::want_deadline()))?;
            if entry.is_some() && !core.backend.capability().ttl_readable {
                return Err(Error::unsupported(core.scheme, "ttl"));
            }
            Ok(Core::ttl(entry.as_ref()))
        }

        /// Moves an entry to another version and returns that version.
        ///
        /// The moved entry lives for the cache's default timeout, as in Django. Not atomic: a lookup in
        /// between finds it under both versions.
        ///
        /// # Errors
        /// A miss is [`ErrorKind::KeyNotFound`](crate::ErrorKind::KeyNotFound).
        pub $($async)? fn incr_version(&self, key: &str, delta: i64) -> Result<i64> {
            let core = &*self.0;
            let full = core.full_key(key)?;
            let call = Call::begin();
            let entry = ask!(core, get aget (&full, &GetOptions::default()))?;
            let entry = entry.ok_or_else(|| core.not_found("incr_version", &full))?;
            let version = core.namespace.version.checked_add(delta).ok_or_else(|| {
                Error::new(ErrorKind::NotAnInteger, "the version does not fit into 64 bits")
                    .at(core.scheme, "incr_version")
            })?;
            let moved = core.namespace.with_version(version).full_key(key);
            let options = SetOptions::new(core.life(Timeout::Default)).flags(entry.flags);
            ask!(core, set aset (&moved, entry.value, &options))?;
            let done = ask!(core, delete adelete (&full)).map(|_| version);
            core.trace_other(call, || format!("incr_version({key:?}, {delta})"), &done);
            done
        }

        /// Moves an entry to an earlier version; see [`incr_version`](Self::incr_version).
        ///
        /// # Errors
        /// As [`incr_version`](Self::incr_version).
        pub $($async)? fn decr_version(&self, key: &str, delta: i64) -> Result<i64> {
            wait!(self.incr_version(key, delta.saturating_neg()))
        }

        /// Ends the way of a miss: stores what was loaded, and returns what is stored then.
        ///
        /// The first value stays, as with Django's `get_or_set`: whoever stored one meanwhile wins.
        $($async)? fn fill<T: Serialize + DeserializeOwned>(
            &self,
            key: &str,
            value: T,
            load: &Load,
            leader: Leader<'_>,
        ) -> Result<T> {
            let wishes = load.wishes();
            if !wishes.store {
                leader.land(Landing::Unshared);
                return Ok(value);
            }
            match wait!(self.add_loaded(key, &value, wishes.timeout)) {
                Ok((entry, true)) => {
                    leader.land(Landing::Value(entry));
                    Ok(value)
                }
                Ok((entry, false)) => {
                    leader.land(Landing::Value(entry.clone()));
                    self.0.open(key, &entry)
                }
                Err(error) => {
                    // Counted as a failed load: those who wait must not all try the same, one by one.
                    leader.fail(error.clone());
                    Err(error)
                }
            }
        }

        /// What is stored after an add of this value, and whether it is this value.
        $($async)? fn add_loaded<T: Serialize>(
            &self,
            key: &str,
            value: &T,
            timeout: Timeout,
        ) -> Result<(Entry, bool)> {
            let (bytes, options) = self.0.seal("get_or_set", value, timeout, Condition::IfAbsent)?;
            let loaded = Entry::new(bytes.clone(), options.flags);
            if wait!(self.write_bytes("add", key, bytes, &options))? {
                return Ok((loaded, true));
            }
            let stored = wait!(self.entry(key))?;
            let stored_by_another = stored.is_some();
            Ok((stored.unwrap_or(loaded), !stored_by_another))
        }
    };
}
pub(crate) use verbs;
