//! Gemini CLI reads from settings alone how it signs in, and puts none before its user's but those in root's folders. Where
//! its user signs in otherwise, it gets a home that is its user's but for that one setting.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::jsonc;

/// The variable that names the home.
pub(super) const VARIABLE: &str = "GEMINI_CLI_HOME";

/// The folder of settings in a home and in a project.
const FOLDER: &str = ".gemini";
const SETTINGS: &str = "settings.json";

/// How the client is to sign in: with the key it is given.
const BY_KEY: &str = "gemini-api-key";

/// A home for one run.
#[derive(Debug)]
pub(super) struct Home {
    /// Where it is.
    pub(super) path: PathBuf,
    user: PathBuf,
    /// How its user signs in.
    signed: Option<Value>,
    /// The settings as they were given.
    given: Value,
}

impl Home {
    /// A home at `path` in place of the one at `user`; none where the user signs in with a key anyway. `project` is where
    /// the client is started.
    ///
    /// # Errors
    /// When settings cannot be read, those of the project say how to sign in, or the home cannot be made.
    pub(super) fn make(user: &Path, project: &Path, path: PathBuf) -> Result<Option<Self>> {
        let settings = read(user)?;
        let signed = signs_in(&settings).cloned();
        if signed == Some(json!(BY_KEY)) {
            return Ok(None);
        }
        let there = if project == user { signed.clone() } else { signs_in(&read(project)?).cloned() };
        if there.is_some_and(|there| there != json!(BY_KEY)) {
            let file = project.join(FOLDER).join(SETTINGS);
            bail!("{} says how to sign in, and Gemini CLI puts that before all else", file.display());
        }
        let mut given = settings;
        jsonc::lay(&mut given, json!({ "security": { "auth": { "selectedType": BY_KEY } } }));
        let home = Self { path, user: user.to_owned(), signed, given };
        home.fill().with_context(|| format!("cannot fill {}", home.path.display()))?;
        Ok(Some(home))
    }

    /// Links all that the user's home has for the client, and writes the settings.
    fn fill(&self) -> Result<()> {
        let own = self.path.join(FOLDER);
        fs::create_dir_all(&own)?;
        for name in
            [".agents", ".env"].map(OsStr::new).into_iter().filter(|name| self.user.join(name).exists())
        {
            link(&self.user.join(name), &self.path.join(name))?;
        }
        for entry in entries(&self.user.join(FOLDER))? {
            if let Some(name) = entry.file_name().filter(|name| *name != SETTINGS) {
                link(&entry, &own.join(name))?;
            }
        }
        Ok(fs::write(own.join(SETTINGS), self.given.to_string())?)
    }

    /// Gives back to the user what the client wrote, and removes the home.
    ///
    /// # Errors
    /// When something cannot be given back; the home is then left where it is.
    pub(super) fn close(self) -> Result<()> {
        self.give_back().with_context(|| format!("cannot give back what is in {}", self.path.display()))?;
        Ok(fs::remove_dir_all(&self.path)?)
    }

    fn give_back(&self) -> Result<()> {
        let theirs = self.user.join(FOLDER);
        for entry in entries(&self.path.join(FOLDER))? {
            // What is still a link was written at its place.
            if let Some(name) = entry.file_name().filter(|name| *name != SETTINGS && !entry.is_symlink()) {
                copy(&entry, &theirs.join(name))?;
            }
        }
        let mut settings = read(&self.path)?;
        if settings == self.given {
            return Ok(());
        }
        if let Some(auth) = settings.pointer_mut("/security/auth").and_then(Value::as_object_mut) {
            match &self.signed {
                Some(signed) => auth.insert("selectedType".to_owned(), signed.clone()),
                None => auth.remove("selectedType"),
            };
        }
        fs::create_dir_all(&theirs)?;
        Ok(fs::write(theirs.join(SETTINGS), serde_json::to_string_pretty(&settings)?)?)
    }
}

fn signs_in(settings: &Value) -> Option<&Value> {
    settings.pointer("/security/auth/selectedType")
}

/// The settings in `folder`; an empty object where there are none.
fn read(folder: &Path) -> Result<Value> {
    let path = folder.join(FOLDER).join(SETTINGS);
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(json!({})),
        text => text.with_context(|| path.display().to_string())?,
    };
    let settings = jsonc::parse(&text).with_context(|| path.display().to_string())?;
    if !settings.is_object() {
        bail!("{} is no JSON object", path.display());
    }
    Ok(settings)
}

/// What is in a folder; nothing where there is none.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        found => found?.map(|entry| Ok(entry?.path())).collect(),
    }
}

fn link(from: &Path, to: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::symlink(from, to);
    #[cfg(windows)]
    return if from.is_dir() {
        std::os::windows::fs::symlink_dir(from, to)
    } else {
        std::os::windows::fs::symlink_file(from, to)
    };
}

/// Copies a file, or a folder with all in it, into what is there already.
fn copy(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        fs::create_dir_all(to.parent().unwrap_or(to))?;
        fs::copy(from, to)?;
        return Ok(());
    }
    fs::create_dir_all(to)?;
    for entry in entries(from)? {
        copy(&entry, &to.join(entry.file_name().unwrap_or_default()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use serde_json::{Value, json};

    use super::{FOLDER, Home, SETTINGS, read};

    /// A user's home with these settings, and a project.
    fn user(settings: &str) -> (tempfile::TempDir, PathBuf, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let (user, project) = (root.path().join("user"), root.path().join("project"));
        fs::create_dir_all(user.join(FOLDER).join("commands")).unwrap();
        fs::create_dir_all(project.join(FOLDER)).unwrap();
        fs::write(user.join(FOLDER).join(SETTINGS), settings).unwrap();
        fs::write(user.join(FOLDER).join("GEMINI.md"), "mine").unwrap();
        (root, user, project)
    }

    fn text(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn the_users_settings_stay_in_force_and_what_the_client_writes_is_kept() {
        let own =
            r#"{"ui": {"theme": "own"}, "security": {"auth": {"selectedType": "oauth-personal"}}} // mine"#;
        let (root, user, project) = user(own);
        let home = Home::make(&user, &project, root.path().join("run")).unwrap().unwrap();
        let own_folder = home.path.join(FOLDER);
        let given = read(&home.path).unwrap();
        let wanted =
            json!({"ui": {"theme": "own"}, "security": {"auth": {"selectedType": "gemini-api-key"}}});
        assert_eq!(given, wanted);
        assert_eq!(text(&own_folder.join("GEMINI.md")), "mine");
        fs::write(own_folder.join("commands/new.toml"), "a").unwrap();
        fs::create_dir_all(own_folder.join("tmp/chat")).unwrap();
        fs::write(own_folder.join("tmp/chat/log"), "b").unwrap();
        home.close().unwrap();
        let theirs = user.join(FOLDER);
        assert_eq!(text(&theirs.join("commands/new.toml")) + &text(&theirs.join("tmp/chat/log")), "ab");
        assert_eq!(text(&theirs.join(SETTINGS)), own, "nothing was changed in it");
        assert!(!root.path().join("run").exists() && theirs.join("GEMINI.md").exists());
    }

    #[test]
    fn settings_changed_in_a_run_are_kept_but_for_the_key() {
        let (root, user, project) = user("{}");
        let home = Home::make(&user, &project, root.path().join("run")).unwrap().unwrap();
        let changed =
            json!({"ui": {"theme": "new"}, "security": {"auth": {"selectedType": "gemini-api-key"}}});
        fs::write(home.path.join(FOLDER).join(SETTINGS), changed.to_string()).unwrap();
        home.close().unwrap();
        let kept: Value = serde_json::from_str(&text(&user.join(FOLDER).join(SETTINGS))).unwrap();
        assert_eq!(kept, json!({"ui": {"theme": "new"}, "security": {"auth": {}}}));
    }

    #[test]
    fn a_user_with_a_key_needs_no_home_and_a_project_that_signs_in_is_refused() {
        let by = |way: &str| json!({"security": {"auth": {"selectedType": way}}}).to_string();
        let (root, with_key, project) = user(&by("gemini-api-key"));
        assert!(Home::make(&with_key, &project, root.path().join("run")).unwrap().is_none());
        let (root, other, project) = user("{}");
        fs::write(project.join(FOLDER).join(SETTINGS), by("oauth-personal")).unwrap();
        let refused = Home::make(&other, &project, root.path().join("run")).unwrap_err().to_string();
        assert!(refused.contains("says how to sign in"), "{refused}");
        fs::write(other.join(FOLDER).join(SETTINGS), "[]").unwrap();
        Home::make(&other, root.path(), root.path().join("run")).unwrap_err();
    }
}
