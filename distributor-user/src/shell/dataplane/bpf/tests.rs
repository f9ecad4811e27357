use super::LinkFacts;

#[test]
fn what_the_kernel_tells_of_a_link() {
    let facts = |program, ifindex, is_on_cgroup| LinkFacts {
        program,
        ifindex,
        is_on_cgroup,
    };
    for (fdinfo, expected, is_attached) in [
        ("", facts(0, None, false), false),
        (
            "pos:\t0\nlink_type:\txdp\nlink_id:\t5\nprog_id:\t17\nifindex:\t2\n",
            facts(17, Some(2), false),
            true,
        ),
        (
            "link_type:\ttcx\nprog_id:\t17\nifindex:\t0\nattach_type:\t47\n",
            facts(17, None, false),
            false,
        ),
        (
            "link_type:\tcgroup\nprog_id:\t9\ncgroup_id:\t4294967297\nattach_type:\t10\n",
            facts(9, None, true),
            true,
        ),
        (
            "link_type:\tcgroup\nprog_id:\t9\ncgroup_id:\t0\n",
            facts(9, None, false),
            false,
        ),
    ] {
        let found = LinkFacts::parse(fdinfo);
        assert_eq!(found, expected, "{fdinfo:?}");
        assert_eq!(found.is_attached(), is_attached, "{fdinfo:?}");
    }
}
