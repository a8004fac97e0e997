"""papers/pim-simulators: targets are met at the quick size, and the figure draws."""


def test_every_count_is_met_by_the_tools_rules(make, ds, targets):
    table = [
        (row["quantity"], row["condition"], float(row["published"]), float(row["tolerance"]))
        for row in targets
    ]
    missed = [
        (q, c, p, int(s))
        for (q, c, p, t), s in zip(table, ds.same.values, strict=True)
        if abs(s - p) > max(t * p, 1 if "pim_" in q else 0)
    ]
    assert not missed, missed
    assert (ds.right >= 0.99 * ds.published).all()
    assert len(make.draw(ds).axes) == 1
