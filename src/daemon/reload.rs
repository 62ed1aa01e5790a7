//! What changes with a reload, and what only with a restart.

use crate::config::Config;

/// The keys that differ and are only read at the start.
pub(super) fn need_restart(now: &Config, then: &Config) -> Vec<&'static str> {
    // Taken apart, so that a new key is not forgotten here.
    let Config {
        host,
        interfaces,
        threads,
        duplicates,
        rules: _,
        placeholders: _,
        limits,
        outputs,
        evidence,
        http,
        user,
        state_directory,
        log_level: _,
    } = now;
    let keys = [
        ("host", *host == then.host),
        ("interfaces", *interfaces == then.interfaces),
        ("threads", *threads == then.threads),
        ("duplicates", *duplicates == then.duplicates),
        ("limits", *limits == then.limits),
        ("outputs", *outputs == then.outputs),
        ("evidence", *evidence == then.evidence),
        ("http", *http == then.http),
        ("user", *user == then.user),
        ("state_directory", *state_directory == then.state_directory),
    ];
    keys.into_iter().filter(|(_, is_same)| !is_same).map(|(key, _)| key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reloaded_needs_no_restart() {
        let now = Config::default();
        let then = Config { rules: Vec::new(), ..now.clone() };
        assert!(need_restart(&now, &then).is_empty());
    }

    #[test]
    fn what_needs_a_restart_is_named() {
        let now = Config::default();
        let then = Config { threads: 8, user: Some("nobody".to_owned()), ..now.clone() };
        assert_eq!(need_restart(&now, &then), ["threads", "user"]);
    }
}
