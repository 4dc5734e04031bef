//! The list of cases, by topic, and the macro that makes a test of each.

/// Judges a backend: one named test per case, in a module of this name.
///
/// The first form gives the backend a clock that is moved by hand, so that no case sleeps. The second is
/// for backends whose clock is elsewhere; their cases about time wait for real. The third is for backends that
/// may not be there (a server that is not installed): its closure gives a fixture, or `None`, which skips.
///
/// ```no_run
/// # mod tests {
/// use hotclub::backend::{dummy::DummyBackend, memory::{MemoryBackend, MemoryConfig}};
/// hotclub::testing::conformance!(memory, |clock| MemoryBackend::with_clock(MemoryConfig::entries(10_000), clock));
/// hotclub::testing::conformance!(dummy, no_clock, || DummyBackend);
/// # }
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! __hotclub_conformance {
    ($name:ident, no_clock, $make:expr) => {
        $crate::__hotclub_cases!($name, $crate::testing::Fixture::in_real_time($make));
    };
    ($name:ident, or_skip, $make:expr) => {
        $crate::__hotclub_cases!(
            $name,
            match $make() {
                Some(fixture) => fixture,
                None => return,
            }
        );
    };
    ($name:ident, $make:expr) => {
        $crate::__hotclub_cases!($name, $crate::testing::Fixture::by_hand($make));
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __hotclub_cases {
    ($name:ident, $fixture:expr) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;
            $crate::__hotclub_tests! { ($fixture)
                get_set {
                    a_missing_key_is_none
                    what_was_set_is_read_back
                    a_set_replaces_the_value
                    an_empty_value_is_a_hit
                    any_bytes_are_kept
                    keys_are_compared_byte_by_byte
                    peeking_answers_as_reading_does
                    deleting_removes_one_entry
                    deleting_twice_is_safe
                }
                timeouts {
                    an_entry_lives_until_its_deadline
                    an_entry_without_a_timeout_stays
                    a_set_with_no_life_removes_the_entry
                    a_new_set_starts_a_new_life
                    an_expired_entry_is_no_entry_to_any_verb
                    deadlines_can_be_read
                    no_deadline_is_read_from_an_entry_without_one
                }
                touch {
                    touch_gives_a_new_life
                    touch_can_shorten_a_life
                    touch_can_make_an_entry_stay
                    touch_with_no_life_removes_the_entry
                    touch_of_a_missing_key_is_false_and_creates_nothing
                    touch_of_an_expired_entry_does_not_revive_it
                    touch_keeps_the_value
                    a_read_can_touch_in_the_same_step
                }
                conditions {
                    add_keeps_the_first_value
                    add_after_a_delete_stores
                    add_with_no_life_stores_nothing
                    add_with_no_life_keeps_the_first_value
                    replace_needs_an_entry
                    replace_with_no_life_removes_the_entry
                    compare_and_set_works_once
                    compare_and_set_sees_every_change
                    compare_and_set_needs_an_entry
                    compare_and_set_is_refused_where_it_is_not_claimed
                }
                counters {
                    incr_adds_and_returns_the_sum
                    incr_stores_decimal_digits
                    sums_are_exact_beyond_what_a_double_holds
                    incr_of_a_missing_key_is_an_error_and_creates_nothing
                    incr_of_text_is_an_error_and_changes_nothing
                    incr_beyond_the_range_is_an_error_and_changes_nothing
                    incr_keeps_the_deadline
                    incr_keeps_never
                }
                many {
                    get_many_answers_in_the_order_of_the_keys
                    get_many_answers_a_key_as_often_as_it_is_asked
                    set_many_writes_every_entry
                    set_many_gives_every_entry_the_life
                    set_many_lets_the_last_of_equal_keys_win
                    delete_many_counts_what_was_there
                    no_keys_are_no_error
                }
                clear {
                    clear_removes_every_entry
                    clear_of_an_empty_store_is_safe
                    a_cleared_store_can_be_used
                    clear_by_prefix_removes_nothing_else
                    clear_by_prefix_takes_the_prefix_literally
                    clear_by_prefix_is_refused_where_it_is_not_claimed
                }
                flags {
                    flags_are_kept_beside_the_value
                    a_set_replaces_the_flags
                    touch_and_incr_keep_the_flags
                    set_many_keeps_the_flags_of_every_entry
                }
                leases {
                    leases_are_refused_where_they_are_not_claimed
                    tags_are_refused_where_they_are_not_claimed
                    a_lease_lets_its_holder_fill
                    a_second_caller_does_not_get_the_lease
                    a_delete_ends_the_lease
                    a_set_makes_a_running_fill_refused
                    a_released_lease_can_be_taken_again
                }
                async_door {
                    every_verb_answers_as_its_blocking_twin
                    an_inline_backend_answers_at_once
                }
                threads {
                    threads_add_with_exactly_one_winner
                    threads_increment_without_losing_any
                    threads_read_only_what_was_written
                }
                limits {
                    a_value_beyond_the_limit_is_refused_and_leaves_nothing_old
                    an_add_beyond_the_limit_keeps_the_first_value
                    the_longest_key_is_kept
                }
                facts {
                    the_scheme_is_a_bare_word
                    the_capability_is_always_the_same
                    lookups_and_writes_are_counted
                    an_error_names_the_backend
                }
            }
            #[cfg(target_os = "linux")]
            $crate::__hotclub_tests! { ($fixture)
                fork {
                    a_forked_child_can_use_the_backend
                    parent_and_child_see_what_the_capability_says
                }
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __hotclub_tests {
    (($fixture:expr) $($topic:ident { $($case:ident)* })*) => {$(
        mod $topic {
            #[allow(unused_imports)]
            use super::*;
            $(
                #[test]
                fn $case() {
                    $crate::testing::$topic::$case(&$fixture);
                }
            )*
        }
    )*};
}

#[cfg(test)]
mod tests {
    /// Topics with the text of their files.
    macro_rules! topics {
        ($($topic:literal)*) => { [$(($topic, include_str!(concat!($topic, ".rs")))),*] };
    }

    #[test]
    fn every_case_is_in_the_list() {
        let list = include_str!("list.rs");
        let topics = topics!(
            "get_set" "timeouts" "touch" "conditions" "counters" "many" "clear" "flags" "leases" "async_door"
            "threads" "limits" "facts" "fork"
        );
        let mut cases = 0;
        for (topic, text) in topics {
            let names = text.lines().filter_map(|line| line.strip_prefix("pub fn "));
            for name in names.filter_map(|line| line.split_once("(fixture: &Fixture)")).map(|(name, _)| name)
            {
                cases += 1;
                assert!(list.lines().any(|line| line.trim() == name), "{topic}: {name} is not in the list");
            }
        }
        assert!(cases > 60, "{cases} cases were found");
    }
}
