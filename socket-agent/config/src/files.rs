//! Files of a configuration: which ones, and their text.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::location::{Location, Problem};

/// Files that a name stands for, in order: itself if there is such a file, else those that fit it as
/// a pattern. A relative name starts from `folder`. The error is a reason with its remedy.
pub fn find(name: &Path, folder: &Path) -> Result<Vec<PathBuf>, String> {
    let path = folder.join(name);
    let pattern = path.to_string_lossy();
    if !is_pattern(&pattern) || path.exists() {
        return Ok(vec![path]);
    }
    let found = glob::glob(&pattern)
        .map_err(|error| {
            format!("{error}; allowed: a path in which * and ? stand for parts of a name")
        })?
        // A folder that cannot be read is told when the file is.
        .map(|path| path.unwrap_or_else(|error| error.path().to_owned()))
        .filter(|path| !path.is_dir());
    Ok(found.collect())
}

/// Whether a name can stand for several files.
pub fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '['])
}

/// Text of a file; `remedy` is for one that cannot be read.
pub fn read(path: &Path, remedy: &str) -> Result<String, Problem> {
    let bytes = fs::read(path).map_err(|error| {
        Problem::new(&location(path), format!("cannot be read: {error}; {remedy}"))
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = &error.as_bytes()[..valid];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let column = 1 + before.iter().rev().take_while(|byte| **byte != b'\n').count();
        let reason = "not valid UTF-8; save the file in that encoding";
        Problem::new(&location(path).at(line, column), reason)
    })
}

/// A whole file as a location.
pub fn location(path: &Path) -> Location {
    Location::whole(path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stand_for_files_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["20.yml", "10.yml", "30.txt", "[x].yml"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        fs::create_dir(folder.path().join("40.yml")).unwrap();
        let names = |name: &str| -> Vec<String> {
            let found = find(Path::new(name), folder.path()).unwrap();
            found.iter().map(|path| path.file_name().unwrap().to_str().unwrap().into()).collect()
        };
        assert_eq!(names("*0.yml"), ["10.yml", "20.yml"]);
        assert_eq!(names("[x].yml"), ["[x].yml"], "a file of that very name");
        assert_eq!(names("none.yml"), ["none.yml"]);
        assert_eq!(names("none*"), [] as [&str; 0]);
        assert_eq!(names("/etc/passwd"), ["passwd"]);
        assert!(find(Path::new("***"), folder.path()).unwrap_err().contains("allowed: a path"));
    }

    #[test]
    fn text_is_utf8() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yml");
        fs::write(&path, b"modules:\n- \xff\n").unwrap();
        let said = read(&path, "move it").unwrap_err().to_string();
        assert!(said.ends_with("a.yml:2:3: not valid UTF-8; save the file in that encoding"));
        let said = read(&folder.path().join("b.yml"), "move it").unwrap_err().to_string();
        assert!(said.ends_with("(os error 2); move it"), "{said}");
    }
}
