"""papers/ir-drop: every target within its tolerance, and the figure draws."""


def _found(ds, quantity, condition):
    if quantity != "ratio":
        return float(ds[quantity])
    rg, n = (float(part.split("=")[1]) for part in condition.split())
    return float(ds.ratio.sel(rg=rg, n=int(n), topology="A"))


def test_targets(ds, targets):
    table = [
        (
            row["quantity"],
            row["condition"],
            float(row["published"]),
            _found(ds, row["quantity"], row["condition"]),
        )
        for row in targets
    ]
    missed = [
        line
        for line, row in zip(table, targets, strict=True)
        if abs(line[3] - line[2]) > float(row["tolerance"])
    ]
    assert not missed, "\n".join(map(str, table))
    assert not any("memory" in row["provenance"] for row in targets)


def test_law_holds_while_the_loss_is_below_1_percent(ds):
    small = ds.ratio.where(ds.law < 0.01)
    assert float(abs(small - 1).max()) < 0.01


def test_figure_draws(make, ds):
    left, right = make.draw(ds).axes
    assert "r G" in left.get_title()
    assert right.get_ylabel() == "exact / first order"
