//! The real pylibmc, beside which `PyLibMCCache` is tested: pip may have to build it, with headers of two libraries.

use crate::places;
use crate::shell::{Result, Run};
use crate::venv::Venv;

/// What Debian calls the headers.
pub(crate) const PACKAGES: [&str; 2] = ["libmemcached-dev", "zlib1g-dev"];
/// Why its tests are skipped where there are none.
pub(crate) const MISSING: &str = "pylibmc was not tested: there are no headers of libmemcached and zlib";

/// Whether a C compiler is here and finds the headers.
pub(crate) fn can_be_built() -> bool {
    has_headers(&["libmemcached/memcached.h", "zlib.h"])
}

/// Installs it into an environment, unless it is there already.
pub(crate) fn require(venv: &Venv) -> Result<()> {
    let file = places::required("python/tests/requirements-pylibmc.txt", "it names the release")?;
    venv.require(&[], Some(&file))
}

fn has_headers(headers: &[&str]) -> bool {
    let included = headers.iter().flat_map(|header| ["-include", header]);
    Run::new("cc").args(["-fsyntax-only", "-x", "c"]).args(included).arg("/dev/null").read().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_is_not_here_is_told_from_one_that_is() {
        assert!(has_headers(&["stdio.h"]));
        assert!(!has_headers(&["stdio.h", "no-such-header.h"]));
    }
}
