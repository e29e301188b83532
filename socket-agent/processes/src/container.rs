//! Container and pod ids from cgroup paths.

/// A container, as far as its cgroup path names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Full id: 64 hexadecimal digits; of LXC and systemd-nspawn the container's name, of the others
    /// what they make up (see [`Form`]).
    pub id: Box<str>,
    /// The runtime, where the path says it: `docker`, `containerd`, `cri-o`, `podman`, `lxc`,
    /// `systemd-nspawn`, `garden` or `buildkit`.
    pub runtime: Option<&'static str>,
    /// Of the Kubernetes pod it belongs to: a UUID or, for pods of the node itself, 32 hexadecimal
    /// digits.
    pub pod_uid: Option<Box<str>>,
}

/// Prefixes that runtimes put before the id in the name of a scope or directory.
const PREFIXES: [(&str, &str); 6] = [
    ("docker-", "docker"),
    ("cri-containerd-", "containerd"),
    ("nerdctl-", "containerd"),
    ("crio-", "cri-o"),
    ("libpod-payload-", "podman"),
    ("libpod-", "podman"),
];

/// Parent directories that name the runtime of the plain ids below them. containerd makes one for each of its
/// namespaces, and Docker's is `moby`.
const PARENTS: [(&str, &str); 5] = [
    ("docker", "docker"),
    ("moby", "docker"),
    ("k8s.io", "containerd"),
    ("default", "containerd"),
    ("libpod_parent", "podman"),
];

/// Ids that only their parent directory tells from other names: the directory, whether a name in it is an
/// id, the runtime.
type Form = (&'static str, fn(&str) -> bool, &'static str);

const FORMS: [Form; 4] = [
    // LXC before 4.0.
    ("lxc", is_name, "lxc"),
    ("lxc.payload", is_name, "lxc"),
    ("garden", is_garden_handle, "garden"),
    ("buildkit", is_buildkit_id, "buildkit"),
];

impl Container {
    /// The container that a cgroup path belongs to; of nested ones the innermost.
    ///
    /// Monitors that runtimes run on the host beside a container (`crio-conmon-`, `libpod-conmon-`)
    /// are not in it.
    pub fn from_cgroup_path(path: &str) -> Option<Self> {
        let [mut grandparent, mut parent] = [""; 2];
        let mut found: Option<Self> = None;
        let mut pod = None;
        for segment in path.split('/') {
            pod = pod_uid(segment).or(pod);
            if let Some(container) = Self::from_segment(segment, parent, grandparent) {
                // A container inside another that belongs to a pod is in no pod of its own.
                found = Some(Self { pod_uid: pod.take(), ..container });
            }
            [grandparent, parent] = [parent, segment];
        }
        found
    }

    /// The container in the text of `/proc/<pid>/cgroup`, and the process's cgroup path.
    ///
    /// The path is that of the unified hierarchy or, where a host has none, of systemd's.
    pub fn from_proc_cgroup(text: &str) -> (Option<Self>, Option<&str>) {
        let lines = || {
            text.lines().filter_map(|line| {
                let mut parts = line.splitn(3, ':');
                let _hierarchy = parts.next()?;
                Some((parts.next()?, parts.next()?))
            })
        };
        let path_of = |wanted| lines().find(|(name, _)| *name == wanted).map(|(_, path)| path);
        let path = path_of("").or_else(|| path_of("name=systemd"));
        let container = path
            .and_then(Self::from_cgroup_path)
            .or_else(|| lines().find_map(|(_, path)| Self::from_cgroup_path(path)));
        (container, path)
    }

    fn from_segment(segment: &str, parent: &str, grandparent: &str) -> Option<Self> {
        if let Some(name) = segment.strip_prefix("lxc.payload.").filter(|name| is_name(name)) {
            return Some(Self::of(name, Some("lxc")));
        }
        if let Some((_, _, runtime)) =
            FORMS.iter().find(|(above, is_id, _)| *above == parent && is_id(segment))
        {
            return Some(Self::of(segment, Some(runtime)));
        }
        if grandparent == "ecs" && is_ecs_id(segment, parent) {
            return Some(Self::of(segment, None));
        }
        if segment == "payload"
            && let Some(name) = machine(parent)
        {
            return Some(Self::of(&name, Some("systemd-nspawn")));
        }
        let name = segment.strip_suffix(".scope").unwrap_or(segment);
        for (prefix, runtime) in PREFIXES {
            if let Some(id) = name.strip_prefix(prefix).filter(|id| is_id(id)) {
                return Some(Self::of(id, Some(runtime)));
            }
        }
        // containerd asked for a systemd cgroup while it uses plain ones: `<slice>:<prefix>:<id>`.
        let (prefix, id) = name.rsplit_once(':').unwrap_or(("", name));
        if !is_id(id) {
            return None;
        }
        let runtime = if prefix.ends_with("cri-containerd") {
            Some("containerd")
        } else {
            PARENTS.iter().find(|(name, _)| *name == parent).map(|(_, runtime)| *runtime)
        };
        Some(Self::of(id, runtime))
    }

    fn of(id: &str, runtime: Option<&'static str>) -> Self {
        Self { id: id.into(), runtime, pod_uid: None }
    }
}

/// The name of a machine of systemd, whose processes live below this unit in `payload`.
fn machine(unit: &str) -> Option<String> {
    let service =
        unit.strip_prefix("systemd-nspawn@").and_then(|unit| unit.strip_suffix(".service"));
    let scope = || unit.strip_prefix("machine-").and_then(|unit| unit.strip_suffix(".scope"));
    // Names of units have dashes escaped.
    service.or_else(scope).filter(|name| !name.is_empty()).map(|name| name.replace("\\x2d", "-"))
}

/// The pod in a segment: `podUID`, `kubepods-burstable-podUID.slice`, or the latter before a colon.
/// Slices have underscores where the id has dashes.
fn pod_uid(segment: &str) -> Option<Box<str>> {
    let unit = segment.split(':').next().unwrap_or(segment);
    let name = unit.strip_suffix(".slice").unwrap_or(unit);
    let (before, uid) = name.rsplit_once("pod")?;
    if !(before.is_empty() || before.contains("kubepods") && before.ends_with('-')) {
        return None;
    }
    let uid = uid.replace('_', "-");
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let dashes = [8, 13, 18, 23];
    let is_uuid = uid.len() == 36
        && uid.bytes().enumerate().all(|(at, byte)| match dashes.contains(&at) {
            true => byte == b'-',
            false => byte.is_ascii_hexdigit(),
        });
    (is_uuid || (uid.len() == 32 && digits(&uid))).then(|| uid.into())
}

fn is_id(text: &str) -> bool {
    is_hex(text, 64)
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
}

/// `TASK-NUMBER` in the directory of the task: containers of Amazon ECS on Fargate and on managed
/// instances.
fn is_ecs_id(text: &str, task: &str) -> bool {
    let number = text.strip_prefix(task).and_then(|rest| rest.strip_prefix('-'));
    let is_number = |number: &str| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    is_hex(task, 32) && number.is_some_and(is_number)
}

/// A GUID of Cloud Foundry's Garden, whose last group may have four digits like the others.
fn is_garden_handle(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let [first, middle @ .., last] = groups.as_slice() else { return false };
    is_hex(first, 8)
        && middle.len() == 3
        && middle.iter().all(|group| is_hex(group, 4))
        && (is_hex(last, 4) || is_hex(last, 12))
}

/// What BuildKit calls the steps of a build: 25 digits to the base 36.
fn is_buildkit_id(text: &str) -> bool {
    text.len() == 25 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'z'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90";
    const B: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    const POD: &str = "pod5a1b6c2e-8f3d-4c3e-9a51-7a6f4e0d1c2b";

    fn assert_path(path: &str, expected: Option<(&str, Option<&'static str>)>) {
        let found = Container::from_cgroup_path(path);
        let found = found.as_ref().map(|container| (&*container.id, container.runtime));
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn runtimes() {
        let docker = Some((A, Some("docker")));
        let containerd = Some((A, Some("containerd")));
        let crio = Some((A, Some("cri-o")));
        let podman = Some((A, Some("podman")));
        let slice =
            format!("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-{POD}.slice");
        for (path, expected) in [
            (format!("/docker/{A}"), docker),
            (format!("/docker/{A}/init.scope"), docker),
            (format!("/system.slice/docker-{A}.scope"), docker),
            (format!("{slice}/cri-containerd-{A}.scope"), containerd),
            (format!("{slice}/docker-{A}.scope"), docker),
            (format!("{slice}/crio-{A}.scope"), crio),
            (format!("{slice}/crio-{A}.scope/container"), crio),
            (format!("/kubepods/besteffort/{POD}/{A}"), Some((A, None))),
            (
                format!("/system.slice/containerd.service/kubepods-{POD}.slice:cri-containerd:{A}"),
                containerd,
            ),
            (format!("/system.slice/nerdctl-{A}.scope"), containerd),
            (format!("/machine.slice/libpod-{A}.scope/container"), podman),
            (format!("/libpod_parent/libpod-{A}/ctr"), podman),
            (format!("/libpod_parent/{A}"), podman),
            (
                format!(
                    "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{A}.scope"
                ),
                podman,
            ),
            (format!("/ecs/7e2d1b0c9a8f4e6d/{A}"), Some((A, None))),
            (format!("/moby/{A}"), docker),
            (format!("/k8s.io/{A}"), containerd),
            (format!("/default/{A}/init"), containerd),
            ("/lxc.payload.web/system.slice".to_owned(), Some(("web", Some("lxc")))),
            ("/lxc.payload/web".to_owned(), Some(("web", Some("lxc")))),
            ("/lxc.payload/web/system.slice/ssh.service".to_owned(), Some(("web", Some("lxc")))),
            ("/lxc/web/init.scope".to_owned(), Some(("web", Some("lxc")))),
        ] {
            assert_path(&path, expected);
        }
    }

    #[test]
    fn ids_that_runtimes_make_up() {
        const TASK: &str = "447438d1540f43a3a4b46f3d0ab6a1a1";
        const GUID: &str = "60695fb5-6a39-4bd1-5c1a-8c2f";
        const UUID: &str = "60695fb5-6a39-4bd1-5c1a-8c2f0a1b2c3d";
        const STEP: &str = "q2bl5gzw1ohcbj0rkntyi9zzx";
        let ecs = format!("{TASK}-1234567890");
        for (path, expected) in [
            (format!("/ecs/{TASK}/{ecs}"), Some((&*ecs, None))),
            (format!("/ecs/{TASK}/{ecs}/child"), Some((&ecs, None))),
            (format!("/ecs/{TASK}"), None),
            (format!("/ecs/{TASK}/{TASK}-"), None),
            (format!("/ecs/{TASK}/{TASK}-12ab"), None),
            (format!("/other/{TASK}/{ecs}"), None),
            (format!("/ecs/{TASK}/447438d1540f43a3a4b46f3d0ab6a1a2-1"), None),
            (format!("/garden/{GUID}"), Some((GUID, Some("garden")))),
            (format!("/system.slice/garden.service/garden/{UUID}"), Some((UUID, Some("garden")))),
            (format!("/garden/{GUID}/init"), Some((GUID, Some("garden")))),
            ("/garden/60695fb5-6a39".to_owned(), None),
            ("/garden/logs".to_owned(), None),
            (format!("/other/{GUID}"), None),
            (format!("/buildkit/{STEP}"), Some((STEP, Some("buildkit")))),
            (format!("/docker/buildkit/{STEP}"), Some((STEP, Some("buildkit")))),
            ("/buildkit/history".to_owned(), None),
            // A builder that is itself a container.
            (format!("/docker/{A}/buildkit/{STEP}"), Some((STEP, Some("buildkit")))),
        ] {
            assert_path(&path, expected);
        }
    }

    #[test]
    fn pods() {
        const UID: &str = "5a1b6c2e-8f3d-4c3e-9a51-7a6f4e0d1c2b";
        const STATIC: &str = "0123456789abcdef0123456789abcdef";
        let slice = UID.replace('-', "_");
        for (path, expected) in [
            (format!("/kubepods/besteffort/{POD}/{A}"), Some(UID)),
            (format!("/kubepods/{POD}/{A}"), Some(UID)),
            (format!("/kubepods/burstable/pod{STATIC}/{A}"), Some(STATIC)),
            (
                format!(
                    "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{slice}.slice/\
                     cri-containerd-{A}.scope"
                ),
                Some(UID),
            ),
            (
                format!("/kubepods.slice/kubepods-pod{slice}.slice/crio-{A}.scope/container"),
                Some(UID),
            ),
            (
                format!(
                    "/system.slice/containerd.service/kubepods-besteffort-pod{slice}.slice:\
                     cri-containerd:{A}"
                ),
                Some(UID),
            ),
            (
                format!(
                    "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{slice}.slice/\
                     cri-containerd-{A}.scope"
                ),
                Some(UID),
            ),
            // Podman's pods are none of Kubernetes.
            (format!("/machine.slice/machine-libpod_pod_{A}.slice/libpod-{B}.scope"), None),
            (format!("/docker/{A}"), None),
            (format!("/kubepods/podnot-an-id/{A}"), None),
            (format!("/kubepods/{POD}/{A}/docker/{B}"), None),
        ] {
            let found = Container::from_cgroup_path(&path).unwrap();
            assert_eq!(found.pod_uid.as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn machines_of_systemd() {
        let nspawn = Some("systemd-nspawn");
        assert_path(
            "/machine.slice/systemd-nspawn@web.service/payload/system.slice",
            Some(("web", nspawn)),
        );
        assert_path(r"/machine.slice/machine-web\x2d1.scope/payload", Some(("web-1", nspawn)));
        assert_path("/machine.slice/machine-qemu.scope/libvirt", None);
        assert_path("/payload", None);
    }

    #[test]
    fn what_is_not_in_a_container() {
        for path in [
            "",
            "/",
            "/system.slice/ssh.service",
            "/user.slice/user-1000.slice/session-3.scope",
            "/lxc",
            "/lxc.payload",
            "/lxc.payload.",
            "/moby",
            "/k8s.io/containerd.sock",
            "/docker",
            &format!("/machine.slice/libpod-conmon-{A}.scope"),
            &format!("/system.slice/crio-conmon-{A}.scope"),
            &format!("/docker/{}", &A[1..]),
            &format!("/docker/{}", A.to_uppercase()),
            &format!("/kubepods/{POD}"),
        ] {
            assert_path(path, None);
        }
    }

    #[test]
    fn the_innermost_container_counts() {
        assert_path(&format!("/docker/{A}/docker/{B}"), Some((B, Some("docker"))));
        let nested = format!("/docker/{A}/kubepods/burstable/{POD}/{B}");
        assert_path(&nested, Some((B, None)));
        // Seen from within a cgroup namespace.
        assert_path(&format!("/../../docker-{B}.scope"), Some((B, Some("docker"))));
    }

    #[test]
    fn proc_cgroup_of_all_hierarchies() {
        let unified = format!("0::/system.slice/docker-{A}.scope\n");
        let (container, path) = Container::from_proc_cgroup(&unified);
        assert_eq!(container.unwrap().id.as_ref(), A);
        assert_eq!(path, Some(format!("/system.slice/docker-{A}.scope").as_str()));

        let legacy = format!(
            "12:cpu,cpuacct:/docker/{A}\n11:memory:/docker/{A}\n1:name=systemd:/docker/{A}\n"
        );
        let (container, path) = Container::from_proc_cgroup(&legacy);
        assert_eq!(container.unwrap().id.as_ref(), A);
        assert_eq!(path, Some(format!("/docker/{A}").as_str()));

        // Both: containers are in the old hierarchies while the unified one only has its root.
        let hybrid = format!("4:memory:/docker/{A}\n1:name=systemd:/init.scope\n0::/\n");
        let (container, path) = Container::from_proc_cgroup(&hybrid);
        assert_eq!(container.unwrap().id.as_ref(), A);
        assert_eq!(path, Some("/"));

        assert_eq!(Container::from_proc_cgroup(""), (None, None));
        assert_eq!(Container::from_proc_cgroup("garbage\n0:\n"), (None, None));
        // A path may contain colons.
        let (_, path) = Container::from_proc_cgroup("0::/a.slice:b:c\n");
        assert_eq!(path, Some("/a.slice:b:c"));
    }
}
