"""A secondary structure drawn as RNA (SVG): the true structure laid out, predicted pairs compared with it.

ViennaRNA's RNApuzzler computes the layout, which has no overlaps (Wiegreffe et al., RNApuzzler: efficient
outerplanar drawing of RNA-secondary structures, Bioinformatics 2019).
"""

from html import escape

import RNA

from rnalm.structure.notation import dot_bracket

# Distinct for colour-blind readers too (Okabe and Ito); the line's dashes tell them apart in print.
COLOURS = {"shared": "#0072b2", "missed": "#e69f00", "wrong": "#c2185b"}
DASHES = {"shared": "none", "missed": "4 3", "wrong": "none"}
WIDTHS = {"shared": 3, "missed": 2.5, "wrong": 1.2}
MARGIN = 24  # in the layout's unit: neighbouring bases are 15 apart


def draw(sequence: str, predicted_pairs, true_pairs) -> str:
    """SVG of an RNA: pairs both predicted and true (shared), true only (missed), predicted only (wrong).

    It has a viewBox and no fixed size, so it fills its container. Pairs are (i, j), i < j, 0-based.
    """
    predicted, true = set(map(tuple, predicted_pairs)), set(map(tuple, true_pairs))
    points = layout(sorted(true), len(sequence))
    kinds = {"wrong": predicted - true, "missed": true - predicted, "shared": true & predicted}
    left, top = min(x for x, _ in points) - MARGIN, min(y for _, y in points) - MARGIN
    width, height = max(x for x, _ in points) + MARGIN - left, max(y for _, y in points) + MARGIN - top
    summary = f"{len(sequence)} nt; base pairs: " + ", ".join(f"{len(kinds[kind])} {kind}" for kind in COLOURS)
    return "".join(
        (
            '<svg xmlns="http://www.w3.org/2000/svg" role="img" style="width:100%;height:auto"'
            f' viewBox="{left:.0f} {top:.0f} {width:.0f} {height:.0f}"><title>{summary}</title>',
            backbone(points),
            *(pair_lines(kind, sorted(pairs), points) for kind, pairs in kinds.items()),
            bases(sequence, points),
            ends(points),
            "</svg>",
        )
    )


def layout(pairs, length: int) -> list[tuple[float, float]]:
    """(x, y) of every base; pseudoknots take no part in the layout."""
    nested = RNA.db_pk_remove(dot_bracket(pairs, length))
    RNA.cvar.rna_plot_type = RNA.PLOT_TYPE_PUZZLER  # a global is its only switch
    coordinates = RNA.get_xy_coordinates(nested)
    return [(coordinates.get(i).X, coordinates.get(i).Y) for i in range(length)]


def backbone(points) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="#b0b0b0" stroke-width="1.5"/>'


def pair_lines(kind: str, pairs, points) -> str:
    """The base pairs of one kind as one path."""
    path = "".join(f"M{points[i][0]:.1f} {points[i][1]:.1f}L{points[j][0]:.1f} {points[j][1]:.1f}" for i, j in pairs)
    style = f'stroke="{COLOURS[kind]}" stroke-width="{WIDTHS[kind]}" stroke-dasharray="{DASHES[kind]}"'
    return f'<path class="{kind}" data-pairs="{len(pairs)}" d="{path}" fill="none" {style}/>'


def bases(sequence: str, points) -> str:
    circles = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5"/>' for x, y in points)
    letters = "".join(
        f'<text x="{x:.1f}" y="{y:.1f}">{escape(base)}</text>' for base, (x, y) in zip(sequence, points, strict=True)
    )
    font = 'font-family="sans-serif" font-size="8" text-anchor="middle" dominant-baseline="central" fill="#222"'
    return f'<g fill="#fff" stroke="#c8c8c8" stroke-width="0.6">{circles}</g><g {font}>{letters}</g>'


def ends(points) -> str:
    """Labels 5' and 3' beside the first and last base, on the side away from the drawing's middle."""
    middle = sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points)
    labels = []
    for label, (x, y) in (("5′", points[0]), ("3′", points[-1])):
        away = x - middle[0], y - middle[1]
        norm = max((away[0] ** 2 + away[1] ** 2) ** 0.5, 1e-9)
        labels.append(f'<text x="{x + 14 * away[0] / norm:.1f}" y="{y + 14 * away[1] / norm:.1f}">{label}</text>')
    font = 'font-family="sans-serif" font-size="10" text-anchor="middle" dominant-baseline="central" fill="#555"'
    return f"<g {font}>{''.join(labels)}</g>"
