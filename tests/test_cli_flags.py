"""The command line's verbs and flags: new settings go to configurations; a new flag shows here."""

from __future__ import annotations

from typer.main import get_command

from simulacra.cli.app import app

FLAGS = {
    "": "--cite --version",
    "bench families": "--again --budget --data --json --model --out --reference --resume --seeds "
    "--suite --threads recipes",
    "bench judge": "--geometry --json --seed --showers --threads",
    "bench sampling": "--batch --executor --json --seed --workers model",
    "compare": "--json --out --title verdicts",
    "data convert": "--energy --geometry --json --out --sampling-fraction --to file",
    "data get": "--base-url --json --out --verify name",
    "data info": "--geometry --json files",
    "data split": "--events --fraction --geometry --json --out --rest --seed --to file",
    "data validate": "--geometry --json --strict files",
    "demo": "--epochs --out --recipe --seed",
    "evaluate": (
        "--about --executor --geometry --independent --json --out --reference --seed --suite "
        "--threads --training --workers generated"
    ),
    "export": "--json --out --preset --target model",
    "merge": "out parts",
    "models": "--json",
    "refine": (
        "--apply --json --observable --out --recipe --seed --set --weight --workers source target"
    ),
    "sample": (
        "--as --batch-size --condition --device --energy --executor --extrapolate --json --like "
        "--out --seed --shard --spectrum --workers -n model"
    ),
    "scan": (
        "--at --fixed-noise --from --json --out --reference --seed --steps --to --vary --workers "
        "-n model"
    ),
    "simulate": (
        "--energy --executor --json --out --particle --seed --set --shard --tables --workers -n "
        "calorimeter"
    ),
    "train": "--data --device --geometry --leave-out --out --resume --seed --set --submit recipe",
    "unfold": (
        "--background --edges --experiments --json --method --observable --out --particles --seed "
        "--set --test data simulation"
    ),
    "verify": "--json --model --target --trust bundle",
}


def _flags(command, path=""):
    names = [p.opts[0] for p in command.params if p.name != "help"]
    found = {path: " ".join(sorted(names))} if names or not hasattr(command, "commands") else {}
    for name, inner in getattr(command, "commands", {}).items():
        found |= _flags(inner, f"{path} {name}".strip())
    return found


def test_verbs_and_flags():
    assert _flags(get_command(app)) == FLAGS


def test_every_verb_explains_itself_with_an_example():
    def check(command, path):
        assert command.help, path
        if hasattr(command, "commands"):
            for name, inner in command.commands.items():
                check(inner, f"{path} {name}")
        else:
            assert "`simulacra" in (command.epilog or ""), path

    check(get_command(app), "simulacra")
