//! Turns `relocations.txt` into the two files that give the programs CO-RE offsets.
//!
//! rustc cannot emit CO-RE relocations itself, but the BPF back end turns a load of a global named
//! `llvm.<struct>:<kind>:<local value>$<access path>` into one. So each field becomes such a global
//! with the debug information that describes it, and an accessor function around the load:
//! `core.ll` is handed to the linker beside the crate's own bitcode, `core.rs` declares the
//! accessors.

use std::{collections::BTreeMap, env, error::Error, fmt::Write as _, fs, path::PathBuf};

/// One line of the table.
struct Field {
    path: Vec<String>,
    kind: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=relocations.txt");
    println!("cargo:rerun-if-changed=build.rs");
    arch()?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let table = parse(&fs::read_to_string("relocations.txt")?)?;
    let ll = out.join("core.ll");
    fs::write(&ll, Module::default().render(&table)?)?;
    fs::write(out.join("core.rs"), accessors(&table)?)?;
    println!("cargo:rustc-link-arg={}", ll.display());
    Ok(())
}

/// Says whose registers a kprobe is shown, as aya does: those of the machine that builds, or of another that is
/// named.
fn arch() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-env-changed=CARGO_CFG_BPF_TARGET_ARCH");
    println!("cargo:rustc-check-cfg=cfg(bpf_target_arch, values(any()))");
    // Among the flags of the compiler, if it is another.
    if env::var_os("CARGO_CFG_BPF_TARGET_ARCH").is_none() {
        let host = env::var("HOST")?;
        let arch = host.split('-').next().unwrap_or_default();
        println!("cargo:rustc-cfg=bpf_target_arch=\"{arch}\"");
    }
    Ok(())
}

/// Groups the table's fields by struct, in the order of the file.
fn parse(text: &str) -> Result<BTreeMap<String, Vec<Field>>, String> {
    let mut table: BTreeMap<String, Vec<Field>> = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong =
            || format!("relocations.txt:{}: expected `STRUCT.MEMBER KIND`: {line}", number + 1);
        let (field, kind) = line.split_once(' ').ok_or_else(wrong)?;
        if !["int", "ptr", "array", "ptrs", "struct", "structs"].contains(&kind) {
            return Err(wrong());
        }
        let (name, path) = field.split_once('.').ok_or_else(wrong)?;
        table
            .entry(name.into())
            .or_default()
            .push(Field { path: path.split('.').map(Into::into).collect(), kind: kind.into() });
    }
    Ok(table)
}

fn symbol(name: &str, field: &Field) -> String {
    // A field may be known by the same name with and without underscores.
    let path = field.path.join("_");
    match path.strip_prefix("__") {
        Some(path) => format!("{name}_hidden_{path}"),
        None => format!("{name}_{}", path.trim_start_matches('_')),
    }
}

/// Rust declarations: for each field `offset of it, or None where this kernel lacks it`.
fn accessors(table: &BTreeMap<String, Vec<Field>>) -> Result<String, std::fmt::Error> {
    let mut externs = String::new();
    let mut wrappers = String::new();
    for (name, fields) in table {
        for field in fields {
            let symbol = symbol(name, field);
            let path = format!("{name}.{}", field.path.join("."));
            writeln!(externs, "    fn core_off_{symbol}() -> usize;")?;
            writeln!(externs, "    fn core_exists_{symbol}() -> u32;")?;
            writeln!(
                wrappers,
                "/// Byte offset of `{path}`; `None` where the kernel has no such field.\n\
                 #[allow(dead_code)]\n#[inline(always)]\n\
                 pub fn {symbol}() -> Option<usize> {{\n    \
                 // SAFETY: generated accessors that return a constant the loader has filled in.\n    \
                 unsafe {{ if core_exists_{symbol}() == 1 {{ Some(core_off_{symbol}()) }} else {{ None }} }}\n}}\n"
            )?;
        }
    }
    Ok(format!("unsafe extern \"C\" {{\n{externs}}}\n\n{wrappers}"))
}

/// Writes one module of textual LLVM IR.
struct Module {
    globals: String,
    functions: String,
    metadata: String,
    next_node: u32,
    /// Every passthrough call has an id of its own: LLVM merges loads that share one.
    next_id: u32,
}

/// The BPF target of rustc has no atomic read-modify-write; the instruction set has had an add
/// without a result from the beginning.
const ATOMIC_ADD: &str = "define void @atomic_add(ptr %p, i64 %v) #1 {\n  \
    %o = atomicrmw add ptr %p, i64 %v monotonic\n  ret void\n}";

const FIRST_NODE: u32 = 17;
const INT: u32 = 2;
const PTR: u32 = 3;
const ARRAY: u32 = 4;
const LEAF_STRUCT: u32 = 5;
const PTRS: u32 = 13;
const STRUCTS: u32 = 16;

impl Default for Module {
    fn default() -> Self {
        Self {
            globals: String::new(),
            functions: String::new(),
            metadata: String::new(),
            next_node: FIRST_NODE,
            next_id: 1,
        }
    }
}

impl Module {
    fn render(mut self, table: &BTreeMap<String, Vec<Field>>) -> Result<String, std::fmt::Error> {
        for (name, fields) in table {
            let refs: Vec<(&[String], &Field)> =
                fields.iter().map(|field| (field.path.as_slice(), field)).collect();
            let (root, indices) = self.composite(name, &refs)?;
            for (field, index) in fields.iter().zip(indices) {
                self.access(name, field, root, &index)?;
            }
        }
        let Self { globals, functions, metadata, .. } = self;
        Ok(format!(
            "target datalayout = \"e-m:e-p:64:64-i64:64-i128:128-n32:64-S128\"\n\
             target triple = \"bpfel\"\n\n{globals}\n{functions}\n\
             {ATOMIC_ADD}\n\
             declare i64 @llvm.bpf.passthrough.i64.i64(i32, i64)\n\
             declare i32 @llvm.bpf.passthrough.i32.i32(i32, i32)\n\
             attributes #0 = {{ \"btf_ama\" }}\n\
             attributes #1 = {{ alwaysinline nounwind }}\n\
             !llvm.dbg.cu = !{{!0}}\n\
             !llvm.module.flags = !{{!10, !11}}\n\
             !0 = distinct !DICompileUnit(language: DW_LANG_C99, file: !1, producer: \"core\", isOptimized: true, runtimeVersion: 0, emissionKind: FullDebug)\n\
             !1 = !DIFile(filename: \"core.ll\", directory: \"/\")\n\
             !{INT} = !DIBasicType(name: \"unsigned long\", size: 64, encoding: DW_ATE_unsigned)\n\
             !{PTR} = !DIDerivedType(tag: DW_TAG_pointer_type, baseType: null, size: 64)\n\
             !{ARRAY} = !DICompositeType(tag: DW_TAG_array_type, baseType: !6, size: 128, elements: !7)\n\
             !{LEAF_STRUCT} = distinct !DICompositeType(tag: DW_TAG_structure_type, name: \"core_leaf\", file: !1, line: 1, size: 64, elements: !9)\n\
             !6 = !DIBasicType(name: \"char\", size: 8, encoding: DW_ATE_signed_char)\n\
             !7 = !{{!8}}\n\
             !8 = !DISubrange(count: 16)\n\
             !9 = !{{!12}}\n\
             !10 = !{{i32 2, !\"Debug Info Version\", i32 3}}\n\
             !11 = !{{i32 7, !\"Dwarf Version\", i32 4}}\n\
             !12 = !DIDerivedType(tag: DW_TAG_member, name: \"val\", scope: !{LEAF_STRUCT}, file: !1, line: 1, baseType: !{INT}, size: 64)\n\
             !{PTRS} = !DICompositeType(tag: DW_TAG_array_type, baseType: !{PTR}, size: 128, elements: !14)\n\
             !14 = !{{!15}}\n\
             !15 = !DISubrange(count: 2)\n\
             !{STRUCTS} = !DICompositeType(tag: DW_TAG_array_type, baseType: !{LEAF_STRUCT}, size: 128, elements: !14)\n\
             {metadata}"
        ))
    }

    fn node(&mut self) -> u32 {
        self.next_node += 1;
        self.next_node - 1
    }

    /// Describes a struct with the given members; returns its node and, for each field, the
    /// member indices that lead to it.
    fn composite(
        &mut self,
        name: &str,
        fields: &[(&[String], &Field)],
    ) -> Result<(u32, Vec<String>), std::fmt::Error> {
        let node = self.node();
        let list = self.node();
        let mut order: Vec<&str> = Vec::new();
        for (path, _) in fields {
            if !order.contains(&path[0].as_str()) {
                order.push(&path[0]);
            }
        }
        let mut indices = vec![String::new(); fields.len()];
        let mut members = Vec::new();
        for (position, member) in order.iter().enumerate() {
            let inside: Vec<usize> =
                (0..fields.len()).filter(|&at| fields[at].0[0] == *member).collect();
            let nested = fields[inside[0]].0.len() > 1;
            let base = if nested {
                let inner: Vec<(&[String], &Field)> =
                    inside.iter().map(|&at| (&fields[at].0[1..], fields[at].1)).collect();
                let (base, tails) = self.composite(&format!("{name}_{member}"), &inner)?;
                for (&at, tail) in inside.iter().zip(tails) {
                    indices[at] = format!("{position}:{tail}");
                }
                base
            } else {
                indices[inside[0]] = position.to_string();
                match fields[inside[0]].1.kind.as_str() {
                    "ptr" => PTR,
                    "array" => ARRAY,
                    "ptrs" => PTRS,
                    "struct" => LEAF_STRUCT,
                    "structs" => STRUCTS,
                    _ => INT,
                }
            };
            let id = self.node();
            members.push(format!("!{id}"));
            writeln!(
                self.metadata,
                "!{id} = !DIDerivedType(tag: DW_TAG_member, name: \"{member}\", scope: !{node}, file: !1, line: 1, baseType: !{base}, size: 128, offset: {})",
                position * 128
            )?;
        }
        writeln!(
            self.metadata,
            "!{node} = distinct !DICompositeType(tag: DW_TAG_structure_type, name: \"{name}\", file: !1, line: 1, size: {}, elements: !{list})\n!{list} = !{{{}}}",
            // Members may overlap, as the offsets follow from the positions alone; none may stick out.
            fields.iter().map(|(path, _)| path.len() * 128).sum::<usize>(),
            members.join(", ")
        )?;
        Ok((node, indices))
    }

    /// Emits the two accessors of one field.
    fn access(
        &mut self,
        name: &str,
        field: &Field,
        root: u32,
        index: &str,
    ) -> Result<(), std::fmt::Error> {
        // The immediate that the loader replaces must equal the value in the name.
        let local: usize =
            index.split(':').filter_map(|i| i.parse::<usize>().ok()).sum::<usize>() * 16;
        let symbol = symbol(name, field);
        for (kind, value, ty, function, align) in
            [(0, local, "i64", "off", 8), (2, 1, "i32", "exists", 4)]
        {
            let global = format!("llvm.{name}:{kind}:{value}$0:{index}");
            writeln!(
                self.globals,
                "@\"{global}\" = external global {ty}, !llvm.preserve.access.index !{root} #0"
            )?;
            writeln!(
                self.functions,
                "define {ty} @core_{function}_{symbol}() #1 {{\n  %o = load {ty}, ptr @\"{global}\", align {align}\n  %p = call {ty} @llvm.bpf.passthrough.{ty}.{ty}(i32 {}, {ty} %o)\n  ret {ty} %p\n}}",
                self.next_id
            )?;
            self.next_id += 1;
        }
        Ok(())
    }
}
