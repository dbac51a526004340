"""The commands, each under its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer

from tacit.cli.spec import Arg, Opt, command

HELP = (
    "Learn the structure of data from few labels or none.\n\n"
    "[bold]tacit systems[/] lists what can be fitted; "
    "[bold]tacit fit clustergan digits -o runs/demo[/] fits; "
    "[bold]tacit cluster runs/demo NEW-DATA -o labels.csv[/] uses the result."
)
ORDER = (
    "systems", "fit", "resume", "compare", "lab", "cluster-study", "sample", "encode", "cluster", "invert", "interpolate", "evaluate",
    "diagnose", "features", "report", "reproduce", "cite",
)  # fmt: skip
SHORT = {
    "systems": "List the systems: what each does, what it can be asked, its paper.",
    "fit": "Fit a system to data.",
    "resume": "Go on with a run that was killed or interrupted.",
    "compare": "Set compositions side by side on one data set.",
    "lab": "The mode-collapse laboratory: compositions on a world whose modes are known.",
    "cluster-study": "Rows and no labels: groups, how sure, one model that labels the next row.",
    "sample": "Generate rows: arrays, a table or a sheet of pictures.",
    "encode": "Codes of new rows.",
    "cluster": "Clusters of new rows, as a CSV file.",
    "invert": "Codes of new rows by descent through the generator.",
    "interpolate": "Rows on paths between two codes: arrays, or a sheet of pictures.",
    "evaluate": "Measure a trained model on data.",
    "diagnose": "What ails an adversarial run, with the evidence and the cure.",
    "features": "Train the classifier whose features tacit evaluate can use.",
    "report": "Write the run's page, report.html.",
    "reproduce": "Reproduce a published figure, or list those that can be.",
    "cite": "The papers of a run or a system.",
}


def build(argv: list[str]) -> typer.Typer:
    """The program; only the command that ``argv`` names is filled in, so that help is quick."""
    app = typer.Typer(
        name="tacit", help=HELP, add_completion=False, rich_markup_mode="rich", no_args_is_help=False,
        context_settings={"help_option_names": ["--help", "-h"]}, pretty_exceptions_enable=False,
    )  # fmt: skip

    @app.callback(invoke_without_command=True)
    def top(
        ctx: typer.Context,
        version: bool = typer.Option(False, "--version", help="Print the version and exit."),
    ) -> None:
        if version:
            from tacit.version import __version__

            print(f"tacit {__version__}")
        elif ctx.invoked_subcommand is None:
            print(ctx.get_help())

    top.__doc__ = HELP
    named = argv[0] if argv else ""
    for name in ORDER:
        if name == named:
            _fill(app, name, argv)
        else:
            command(app, name, lambda given: 0, SHORT[name], [], [], SHORT[name])
    return app


def _fill(app: typer.Typer, name: str, argv: list[str]) -> None:
    if name in ("fit", "compare", "lab"):
        from tacit.cli import compare, fit, lab

        {"fit": fit, "compare": compare, "lab": lab}[name].add(app, argv)
        return
    run, doc, args, opts = _command(name)
    command(app, name, run, doc, args, opts, SHORT[name])


def _command(name: str) -> tuple[Callable[[dict[str, Any]], int], str, list[Arg], list[Opt]]:
    from tacit.cli import evaluate, fit, resume, sources, systems, uses

    data = list(sources.OPTIONS)
    some_data = Arg("data", sources.DATA.help, required=False)
    if name == "systems":
        return systems.systems, SHORT[name], [], systems.SYSTEMS
    if name == "resume":
        opts = [o for o in fit.MINE if o.name in ("quiet", "no-report", "allow")]
        doc = "Go on with a run exactly where its last checkpoint is: the same curve as without the interruption."
        return (
            resume.resume,
            doc,
            [Arg("run", "The folder of the run"), Arg("data", "The data, if it has moved", False)],
            [*opts, sources.WEIGHTS],
        )
    if name == "cluster-study":
        from tacit.cli import study

        return study.study, study.DOC, study.ARGS, study.OPTS
    if name == "sample":
        opts = [
            Opt("n", "INT", "How many", short="-n", default="64"),
            uses.out("File to write: .npy, .csv, or .png for a sheet of pictures"),
        ]
        return uses.sample, "Generate rows in the data's own units.", [uses.RUN], [*opts, *uses.COMMON]
    if name == "encode":
        opts = [uses.out("File to write: .npy (n, d), or .csv with the row ids first; standard output if left out"), *uses.COMMON]
        return uses.encode, SHORT[name], [uses.RUN, sources.DATA], [*opts, *data]
    if name == "cluster":
        doc = "Clusters of new rows: a header, one line a row, its id (or number) first and its cluster last."
        return (
            uses.cluster,
            doc,
            [uses.RUN, sources.DATA],
            [uses.out("File to write, .csv; standard output if left out"), *uses.COMMON, *data],
        )
    if name == "invert":
        doc = (
            "Codes of new rows by descent through the generator, for systems that decode, with an encoder or without: a header, one line "
            "a row, its id, the category that was found (-1 where the latent has none), the loss, the code."
        )
        opts = [uses.out("File to write: .npy (n, d), or .csv; standard output if left out"), *uses.INVERT, *uses.COMMON]
        return uses.invert, doc, [uses.RUN, sources.DATA], [*opts, *data]
    if name == "interpolate":
        doc = (
            "Decoded rows on paths between codes: rows of DATA two and two, or draws of the prior. A prior in pieces (categories, "
            "components) is walked within them, with a leap half way; --how linear goes straight."
        )
        opts = [uses.out("File to write: .npy (paths, points, …), or .png with a path on each line"), *uses.INTERPOLATE, *uses.COMMON]
        return uses.interpolate, doc, [uses.RUN, some_data], [*opts, *data]
    if name == "evaluate":
        doc = (
            "Measure a trained model: ACC, NMI, ARI and purity where the data has labels, silhouette, reconstruction error, "
            "and FID, KID, precision, recall, density, coverage of what it generates."
        )
        return evaluate.evaluate, doc, [uses.RUN, sources.DATA], [*evaluate.OPTIONS, *uses.COMMON, *data]
    if name == "diagnose":
        from tacit.cli import diagnose

        return diagnose.diagnose, diagnose.COMMAND, diagnose.ARGS, diagnose.OPTS
    if name == "features":
        opts = [
            uses.out("File to write, .safetensors"),
            Opt("epochs", "INT", "Passes over the data", default="chosen by size"),
            uses.SEED,
        ]
        return evaluate.features, SHORT[name], [sources.DATA], [*opts, *data]
    if name == "report":
        return (
            systems.report,
            "Write report.html: samples, curves, the map of codes, options, papers, cost.",
            [uses.RUN, some_data],
            [*data, uses.ALLOW],
        )
    if name == "reproduce":
        from tacit.cli import reproduce

        return (
            reproduce.reproduce,
            SHORT[name],
            [Arg("claim", "The claim's name; all are listed if left out", False)],
            reproduce.OPTIONS,
        )
    return systems.cite, SHORT[name], [Arg("what", "The folder of a run, or the name of a system")], systems.CITE
