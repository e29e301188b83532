//! Sets of capabilities.

use super::values;

/// CAP_CHECKPOINT_RESTORE, the last one known, and all below.
const ALL: u64 = (1 << 41) - 1;

/// The capabilities of a mask: `none`, `all`, the names with commas between, or, if few are
/// missing, `all` and the missing ones, each with `-` before.
///
/// Source: include/uapi/linux/capability.h.
pub fn capabilities(mask: u64) -> String {
    let missing = ALL & !mask;
    match mask {
        0 => "none".to_owned(),
        _ if missing == 0 && mask == ALL => "all".to_owned(),
        _ if mask & !ALL == 0 && missing.count_ones() <= 8 => {
            let missing = values::bits("capability", missing).unwrap_or_default();
            format!("all,-{}", missing.replace('|', ",-"))
        }
        _ => values::bits("capability", mask).unwrap_or_default().replace('|', ","),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms() {
        assert_eq!(capabilities(0), "none");
        assert_eq!(capabilities(0x1ff_ffff_ffff), "all");
        assert_eq!(capabilities(0x1ff_feff_ffff), "all,-sys_resource");
        assert_eq!(capabilities(0x400), "net_bind_service");
        assert_eq!(capabilities(0x2001), "chown,net_raw");
        assert_eq!(capabilities(1 << 63), "0x8000000000000000");
    }
}
