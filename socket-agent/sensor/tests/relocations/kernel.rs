//! Type information of kernels, from where it is at hand.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use crate::elf;

/// The running kernel's.
pub(crate) const RUNNING: &str = "/sys/kernel/btf/vmlinux";

/// A path below the folder that holds all crates.
pub(crate) fn workspace(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(below)
}

/// From a kernel image for x86: the part of it that is compressed holds the kernel as an ELF file.
///
/// Source: Documentation/arch/x86/boot.rst, `payload_offset`.
pub(crate) fn of_image(path: &Path) -> Result<Vec<u8>, String> {
    let image = fs::read(path).map_err(|error| error.to_string())?;
    if image.get(0x202..0x206) != Some(b"HdrS") {
        return Err("not a bzImage".into());
    }
    let setup = (usize::from(image[0x1f1]) + 1) * 512;
    let start = setup + elf::u32_at(&image, 0x248) as usize;
    let payload = &image[start..start + elf::u32_at(&image, 0x24c) as usize];
    let kernel = unpack(payload)?;
    elf::section(&elf::parse(&kernel), ".BTF").map(<[u8]>::to_vec).ok_or("no .BTF section".into())
}

fn unpack(payload: &[u8]) -> Result<Vec<u8>, String> {
    // The kernel's build appends the unpacked size.
    let (packed, size) = payload.split_at(payload.len() - 4);
    let size = elf::u32_at(size, 0) as usize;
    let mut kernel = Vec::with_capacity(size);
    match packed {
        [0x02, 0x21, 0x4c, 0x18, ..] => lz4_flex::frame::FrameDecoder::new(packed)
            .read_to_end(&mut kernel)
            .map(drop)
            .map_err(|error| error.to_string())?,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => ruzstd::decoding::StreamingDecoder::new(packed)
            .map_err(|error| error.to_string())?
            .read_to_end(&mut kernel)
            .map(drop)
            .map_err(|error| error.to_string())?,
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => {
            lzma_rs::xz_decompress(&mut &packed[..], &mut kernel).map_err(|e| e.to_string())?;
        }
        other => return Err(format!("unknown compression {:02x?}", &other[..4])),
    }
    if kernel.len() == size { Ok(kernel) } else { Err("its size is not the one it states".into()) }
}

/// From an archive with one file in it, as BTFHub publishes them.
pub(crate) fn of_archive(path: &Path) -> Vec<u8> {
    let packed = fs::read(path).unwrap();
    let mut archive = Vec::new();
    lzma_rs::xz_decompress(&mut packed.as_slice(), &mut archive).unwrap();
    let mut archive = tar::Archive::new(archive.as_slice());
    let mut file = archive.entries().unwrap().next().unwrap().unwrap();
    let mut btf = Vec::new();
    file.read_to_end(&mut btf).unwrap();
    btf
}
