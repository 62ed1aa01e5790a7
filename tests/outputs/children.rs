//! Tests that run as a process of their own: this program, started again for one test.

use std::env;
use std::path::PathBuf;
use std::process::Command;

/// Tells the child that it is one, and where to work.
const FOLDER: &str = "GRIDTAP_TEST_FOLDER";

/// The command that runs the test of this name, which is ignored otherwise. With a `wrapper`, that
/// program is started with the command as its last arguments.
pub(crate) fn child(wrapper: &[&str], test: &str, folder: &std::path::Path) -> Command {
    let this = env::current_exe().unwrap();
    let mut command = match wrapper {
        [] => Command::new(&this),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(&this);
            command
        }
    };
    command.args(["--exact", test, "--ignored", "--nocapture"]).env(FOLDER, folder);
    command
}

/// Where a child works; nowhere when somebody runs the ignored tests by hand.
pub(crate) fn folder() -> Option<PathBuf> {
    let folder = env::var_os(FOLDER);
    if folder.is_none() {
        println!("skipped: runs as the child of another test only");
    }
    folder.map(PathBuf::from)
}
