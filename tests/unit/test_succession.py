"""Cluster ids over releases: who inherits them, that draws of untouched clusters stay, what became of the others."""

import collections
import hashlib

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rnalm.corpus import draws, succession

SCHEMA = {"digest": pl.String, "cluster": pl.String}


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def table(groups: dict[str, str]) -> pl.DataFrame:
    """{cluster: "members"} -> digest, cluster; every letter is a digest."""
    rows = [(member, cluster) for cluster, members in groups.items() for member in members]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row").sort("cluster", "digest")


def groups(clusters: pl.DataFrame) -> dict[str, str]:
    found = collections.defaultdict(str)
    for digest, cluster in clusters.sort("digest").iter_rows():
        found[cluster] += digest
    return dict(found)


def inherited(new: dict[str, str], old: dict[str, str]) -> dict[str, str]:
    clusters = succession.inherit(table(new), table(old).lazy())
    assert clusters.equals(clusters.sort("cluster", "digest"))
    assert sorted(clusters["digest"]) == sorted(table(new)["digest"])
    return groups(clusters)


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        ({"b": "abc"}, {"a": "abc"}, {"a": "abc"}),
        ({"b": "bcx"}, {"a": "abc"}, {"a": "bcx"}),
        ({"a": "abcde"}, {"a": "ab", "c": "cde"}, {"c": "abcde"}),
        ({"a": "ab", "c": "cde"}, {"a": "abcde"}, {"a": "cde", "b": "ab"}),
        ({"a": "ab", "c": "cd"}, {"a": "abcd"}, {"a": "ab", "c": "cd"}),
        ({"a": "abcd"}, {"c": "cd", "a": "ab"}, {"a": "abcd"}),
        ({"a": "ab", "x": "xy"}, {"a": "ab"}, {"a": "ab", "x": "xy"}),
        ({"a": "a", "c": "bc"}, {"a": "abc"}, {md5("a"): "a", "a": "bc"}),
        ({"x": "ax"}, {"a": "bc", "b": "a"}, {"b": "ax"}),
    ],
    ids=[
        "another representative",
        "the representative is withdrawn",
        "the larger half of a merger names it",
        "the larger half of a split keeps the name",
        "equal halves: the smaller cluster keeps it",
        "equal parts: the smaller name stays",
        "a new cluster takes its representative",
        "no member is free: a hash",
        "a name is no member",
    ],
)
def test_names(new, old, expected):
    assert inherited(new, old) == expected


def test_a_hash_that_is_taken_is_hashed_again():
    assert inherited({"a": "a", "c": "bc"}, {"a": "abc", md5("a"): "x"}) == {md5(md5("a")): "a", "a": "bc"}


def test_a_name_of_the_earlier_corpus_is_not_given_to_strangers():
    """The earlier cluster `x` is gone; a cluster that now holds the sequence x, and none of its members, is another."""
    assert inherited({"x": "xy"}, {"x": "abc"}) == {"y": "xy"}


def test_the_same_clusters_under_their_own_names_stay_as_they_are():
    clusters = table({"a": "abc", "d": "de", "f": "f"})
    assert succession.inherit(clusters, clusters.lazy()).equals(clusters)


@st.composite
def partition(draw, letters: str):
    """Some of the letters in groups, each under the name of one of its members."""
    found = collections.defaultdict(str)
    for letter in letters:
        if (number := draw(st.integers(0, 6))) < 6:
            found[number] += letter
    return {draw(st.sampled_from(members)): members for members in found.values()}


def one_after_the_other(new: dict, old: dict) -> dict[str, str]:
    """{new cluster: inherited name}, settled pair by pair."""
    shared = [(-len(set(a) & set(b)), name, cluster) for cluster, a in new.items() for name, b in old.items()]
    names = {}
    for members, name, cluster in sorted(shared):
        if members and cluster not in names and name not in names.values():
            names[cluster] = name
    return names


@settings(max_examples=150, deadline=None)
@given(new=partition("abcdefghijklmnop"), old=partition("abcdefghijklmnop"))
def test_any_two_clusterings(new, old):
    result = inherited(new, old)
    assert sorted(result.values()) == sorted("".join(sorted(members)) for members in new.values())
    names = {members: name for name, members in result.items()}
    expected = one_after_the_other(new, old)
    for cluster, members in new.items():
        name = names["".join(sorted(members))]
        assert name == expected[cluster] if cluster in expected else name not in old
    again = succession.inherit(table(new).reverse(), table(old).lazy().reverse())
    assert groups(again) == result


@settings(max_examples=60, deadline=None)
@given(new=partition("abcdefghijklmnop"), old=partition("abcdefghijklmnop"))
def test_fates_account_for_every_member(new, old, tmp_path_factory):
    after, before = succession.inherit(table(new), table(old).lazy()), table(old)
    rows = fates(before, after, tmp_path_factory.mktemp("moves")).rows(named=True)
    was, now = groups(before), groups(after)
    unchanged = {name for name in was if now.get(name) == was[name]}
    assert {row["cluster"] for row in rows} == (set(was) | set(now)) - unchanged
    for row in rows:
        old_members, new_members = set(was.get(row["cluster"], "")), set(now.get(row["cluster"], ""))
        assert (row["before"], row["after"]) == (len(old_members), len(new_members))
        left, arrived = old_members - new_members, new_members - old_members
        assert row["withdrawn"] == len(left - set("".join(now.values())))
        assert row["new"] == len(arrived - set("".join(was.values())))
        assert (row["went"], row["came"]) == (len(left) - row["withdrawn"], len(arrived) - row["new"])
        assert row["came_from"] == sorted({name for name in was if name != row["cluster"] and set(was[name]) & arrived})
        assert row["went_to"] == sorted({name for name in now if name != row["cluster"] and set(now[name]) & left})


def hexadecimal(clusters: pl.DataFrame) -> pl.DataFrame:
    """Letters as the digests that the buckets and the draws read."""
    return clusters.select(
        pl.all().map_elements(lambda name: name if len(name) == 32 else md5(f"letter {name}"), pl.String)
    )


def fates(before, after, folder):
    """Fates under the letters, though the members meet by the hashes of them."""
    letters = {md5(f"letter {letter}"): letter for letter in map(chr, range(128))}
    found = succession.fates(*(hexadecimal(frame).lazy() for frame in (before, after)), 3, folder)
    lists = pl.col("came_from", "went_to").list.eval(pl.element().replace(letters).sort())
    return found.with_columns(pl.col("cluster").replace(letters), lists)


def test_fates(tmp_path):
    before = table({"a": "ab", "c": "cde", "f": "fgh", "i": "ijkl", "m": "mn", "o": "op", "q": "qr", "s": "st"})
    after = table({"a": "ab", "c": "cdeopz", "f": "fg", "h": "h", "i": "ijk", "q": "q1", "s": "stu", "x": "xy"})
    found = {row["cluster"]: row for row in fates(before, after, tmp_path).iter_rows(named=True)}
    assert {name: row["what"] for name, row in found.items()} == {
        "c": "grown",
        "f": "split",
        "h": "born",
        "i": "shrunk",
        "m": "died",
        "o": "merged",
        "q": "exchanged",
        "s": "grown",
        "x": "born",
    }
    numbers = ("before", "after", "new", "withdrawn", "came", "went")
    assert [found["c"][name] for name in numbers] == [3, 6, 1, 0, 2, 0]
    assert [found["o"][name] for name in numbers] == [2, 0, 0, 0, 0, 2]
    assert (found["c"]["came_from"], found["o"]["went_to"], found["h"]["came_from"]) == (["o"], ["c"], ["f"])
    assert found["x"]["came_from"] == found["m"]["went_to"] == []


def test_draws_of_untouched_clusters_do_not_move():
    """Same member, same relative order, same side, though MMseqs2 now prefers other representatives."""
    before = pl.DataFrame(
        {"digest": [md5(str(n)) for n in range(3000)], "cluster": [md5(str(n // 3 * 3)) for n in range(3000)]}
    )
    # Every third cluster loses a member or gains one; all are renamed; 200 clusters are new.
    kept = before.filter(pl.int_range(pl.len()) % 9 != 1)
    renamed = kept.with_columns(cluster=pl.col("digest").max().over("cluster"))
    gained = renamed.unique("cluster", maintain_order=True).gather_every(5).with_columns(digest="cluster")
    gained = gained.with_columns(pl.Series("digest", [md5(name) for name in gained["digest"]]))
    new = pl.DataFrame({"digest": [md5(f"new {n}") for n in range(200)]}).with_columns(cluster="digest")
    after = succession.inherit(pl.concat([renamed, gained, new]), before.lazy())

    members = [
        frame.group_by("cluster").agg(pl.col("digest").sort().str.join(" ")).rename({"digest": "members"})
        for frame in (before, after)
    ]
    untouched = members[0].join(members[1], on=["cluster", "members"])["cluster"]
    assert 400 < len(untouched) < 700
    for frame in (before, after):
        assert frame.filter(pl.col("cluster").is_in(untouched.implode())).height > 1000
    for epoch in (0, 1, draws.VALIDATION):
        old, fresh = (
            draws.choose(frame, 42, epoch).filter(pl.col("cluster").is_in(untouched.implode())).drop("row")
            for frame in (before, after)
        )
        assert old.equals(fresh)
    sides = [
        frame.select("cluster", held=draws.held_out(frame, 42, 0.3)).unique().sort("cluster")
        for frame in (before, after)
    ]
    both = sides[0].join(sides[1], on="cluster")
    assert len(both) == 1000 and both["held"].equals(both["held_right"])
