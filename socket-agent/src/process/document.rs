//! How processes and containers describe themselves, in the documents of every dataset.

use ecs::{Writer, key};

use super::{Container, Process};

// === impl Process ===

impl Process {
    /// The fields of `process`; `thread` is 0 where none is known.
    pub fn encode(&self, writer: &mut impl Writer, thread: u32) {
        let image = &self.image;
        writer.number(key!("pid"), self.pid.into());
        writer.text(key!("name"), &image.name);
        writer.list_if_any(key!("args"), &image.args);
        writer.maybe(key!("executable"), image.executable.as_deref());
        writer.maybe(key!("working_directory"), image.working_directory.as_deref());
        let created = self.created.millis_ascii();
        writer.ascii(key!("start"), created);
        // Not in ECS, but in the documents of Beats.
        writer.ascii(key!("created"), created);
        writer.text(key!("entity_id"), &self.entity_id);
        if self.parent_pid != 0 {
            writer.group(key!("parent"), |parent| {
                parent.number(key!("pid"), self.parent_pid.into());
            });
        }
        if thread != 0 {
            writer.group(key!("thread"), |of| of.number(key!("id"), thread.into()));
        }
    }
}

// === impl Container ===

impl Container {
    /// `container`, and the Kubernetes pod that it belongs to as ECS and as Beats have it.
    pub fn encode(&self, writer: &mut impl Writer) {
        writer.group(key!("container"), |container| {
            container.text(key!("id"), &self.id);
            container.maybe(key!("runtime"), self.runtime);
        });
        let Some(uid) = self.pod_uid.as_deref() else { return };
        writer.group(key!("orchestrator"), |orchestrator| {
            orchestrator.text(key!("type"), "kubernetes");
            orchestrator.group(key!("resource"), |resource| {
                resource.text(key!("type"), "pod");
                resource.text(key!("id"), uid);
            });
        });
        writer.group(key!("kubernetes"), |kubernetes| {
            kubernetes.group(key!("pod"), |pod| pod.text(key!("uid"), uid));
        });
    }
}
