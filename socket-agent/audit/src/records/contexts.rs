//! SELinux contexts.

/// `user:role:domain:level:category`, the last two as far as they are there.
///
/// A label of another module, such as AppArmor's, has no colons: it is all `user`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SecurityContext<'a> {
    /// SELinux user, or the whole label.
    pub user: Option<&'a str>,
    /// Role.
    pub role: Option<&'a str>,
    /// Domain of a process, type of an object.
    pub domain: Option<&'a str>,
    /// Sensitivity, or the range of it.
    pub level: Option<&'a str>,
    /// Categories.
    pub category: Option<&'a str>,
}

impl<'a> SecurityContext<'a> {
    /// Splits a context.
    pub fn parse(text: &'a str) -> Self {
        let mut parts = text.splitn(5, ':').map(|part| Some(part).filter(|part| !part.is_empty()));
        let mut next = || parts.next().flatten();
        Self { user: next(), role: next(), domain: next(), level: next(), category: next() }
    }

    /// The parts that are there, with their names.
    pub fn parts(&self) -> impl Iterator<Item = (&'static str, &'a str)> + use<'a> {
        let Self { user, role, domain, level, category } = *self;
        let all = [
            ("user", user),
            ("role", role),
            ("domain", domain),
            ("level", level),
            ("category", category),
        ];
        all.into_iter().filter_map(|(name, part)| Some((name, part?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_taken_as_far_as_they_go() {
        let context = SecurityContext::parse("system_u:system_r:crond_t:s0-s0:c0.c1023");
        let parts: Vec<_> = context.parts().collect();
        assert_eq!(
            parts,
            [
                ("user", "system_u"),
                ("role", "system_r"),
                ("domain", "crond_t"),
                ("level", "s0-s0"),
                ("category", "c0.c1023")
            ]
        );
        let label: Vec<_> = SecurityContext::parse("/usr/sbin/cupsd (enforce)").parts().collect();
        assert_eq!(label, [("user", "/usr/sbin/cupsd (enforce)")]);
        assert_eq!(SecurityContext::parse(""), SecurityContext::default());
    }
}
