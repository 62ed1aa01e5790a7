//! The user that the daemon runs as.

use std::ffi::CString;
use std::io;

use nix::unistd::{self, Gid, Group, Uid, User};

use super::{SandboxError, step};

/// A user with its group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its other groups are looked up by name; a user without an entry has none.
    name: Option<CString>,
    uid: Uid,
    gid: Gid,
}

/// Why a text names no user.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// There is none of that name.
    #[error(
        "there is no user {0:?}: write a name, a number, or one of these with a group, user:group"
    )]
    NoUser(String),
    /// There is none of that name.
    #[error("there is no group {0:?}")]
    NoGroup(String),
    /// A number without an entry says nothing about its group.
    #[error("user {0} has no entry, so its group must be given: {0}:GROUP")]
    GroupMissing(u32),
    /// The system could not look.
    #[error("{name:?} cannot be looked up: {error}")]
    LookUp {
        /// What was looked up.
        name: String,
        /// What the system says.
        error: io::Error,
    },
}

impl Identity {
    /// Looks up `user` or `user:group`, each a name or a number. A number needs no entry.
    pub fn find(text: &str) -> Result<Self, IdentityError> {
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (text, None),
        };
        let group = group.map(find_group).transpose()?;
        let entry = find_user(user)?;
        let (name, uid, own_group) = match entry {
            Entry::Found(user) => (CString::new(user.name).ok(), user.uid, Some(user.gid)),
            Entry::Number(uid) => (None, uid, None),
        };
        let gid = group.or(own_group).ok_or(IdentityError::GroupMissing(uid.as_raw()))?;
        Ok(Self { name, uid, gid })
    }

    /// User and group by number, for those who make folders for it.
    pub fn numbers(&self) -> (u32, u32) {
        (self.uid.as_raw(), self.gid.as_raw())
    }

    /// Becomes this user, in all three of its ids, with its groups and no other's.
    pub(super) fn assume(&self, is_root: bool) -> Result<(), SandboxError> {
        if !is_root {
            let is_already = unistd::geteuid() == self.uid && unistd::getegid() == self.gid;
            let not_root = SandboxError::NotRoot { uid: self.uid.as_raw() };
            return if is_already { Ok(()) } else { Err(not_root) };
        }
        // Groups first: afterwards we may no longer.
        match &self.name {
            Some(name) => unistd::initgroups(name, self.gid),
            None => unistd::setgroups(&[self.gid]),
        }
        .map_err(step("changing the groups"))?;
        unistd::setresgid(self.gid, self.gid, self.gid).map_err(step("changing the group"))?;
        unistd::setresuid(self.uid, self.uid, self.uid).map_err(step("changing the user"))
    }
}

enum Entry {
    Found(User),
    Number(Uid),
}

fn find_user(text: &str) -> Result<Entry, IdentityError> {
    let number = text.parse().ok().map(Uid::from_raw);
    let found = match number {
        Some(uid) => User::from_uid(uid),
        None => User::from_name(text),
    };
    match (found, number) {
        (Ok(Some(user)), _) => Ok(Entry::Found(user)),
        (Ok(None), Some(uid)) => Ok(Entry::Number(uid)),
        (Ok(None), None) => Err(IdentityError::NoUser(text.to_owned())),
        (Err(error), _) => {
            Err(IdentityError::LookUp { name: text.to_owned(), error: error.into() })
        }
    }
}

fn find_group(text: &str) -> Result<Gid, IdentityError> {
    if let Ok(gid) = text.parse() {
        return Ok(Gid::from_raw(gid));
    }
    match Group::from_name(text) {
        Ok(Some(group)) => Ok(group.gid),
        Ok(None) => Err(IdentityError::NoGroup(text.to_owned())),
        Err(error) => Err(IdentityError::LookUp { name: text.to_owned(), error: error.into() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number that no entry has.
    const NOBODY_HAS: u32 = 3_999_999_999;

    #[test]
    fn users_are_found_by_name_and_number() {
        let root = Identity::find("root").unwrap();
        assert_eq!(root, Identity::find("0").unwrap());
        assert_eq!(root.numbers(), (0, 0));
        assert_eq!(root.name.unwrap().to_str(), Ok("root"));
        assert_eq!(Identity::find("root:7").unwrap().numbers(), (0, 7));
        assert_eq!(Identity::find("0:root").unwrap().numbers(), (0, 0));
    }

    #[test]
    fn a_number_needs_no_entry_but_a_group() {
        let identity = Identity::find(&format!("{NOBODY_HAS}:7")).unwrap();
        assert_eq!(identity.numbers(), (NOBODY_HAS, 7));
        assert!(identity.name.is_none());
        let refused = Identity::find(&NOBODY_HAS.to_string()).unwrap_err();
        assert!(matches!(refused, IdentityError::GroupMissing(NOBODY_HAS)), "{refused}");
    }

    #[test]
    fn others_are_refused() {
        for text in ["", "no-such-user", "-1", "no\0such", ":", "99999999999"] {
            assert!(Identity::find(text).is_err(), "{text:?}");
        }
        for text in ["root:", "root:no-such-group", "root:root:root"] {
            assert!(matches!(Identity::find(text), Err(IdentityError::NoGroup(_))), "{text}");
        }
    }
}
