"""The command line."""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.cluster import (
    binaries,
    control_plane,
    images,
    lifecycle,
    node,
    prerequisites,
    project_images,
)
from tests.cluster.errors import ClusterError
from tests.cluster.lock import exclusive
from tests.cluster.profiles import FULL, PROFILES, cache_root
from tests.cluster.progress import say

DESCRIPTION = "A local Kubernetes, built from source and run in namespaces of this machine."
EPILOG = """\
profiles:
  full           a node that runs pods, with DNS and volumes; the host reaches Services and pods by their addresses
  control-plane  API server and controllers without a node, for tests of controllers; up in seconds

environment:
  KUBECONFIG         when set, `up` only checks that this cluster answers, and starts nothing
  EVERMODEL_CLUSTER  `local` starts the local cluster even so
  EVERMODEL_CACHE    where all that is built and all state is kept (default ~/.cache/evermodel)
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit code."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 tests/cluster",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(command=run)
        return command

    def profiled(command: argparse.ArgumentParser) -> argparse.ArgumentParser:
        command.add_argument("--profile", choices=sorted(PROFILES), default=FULL.name, help="default: %(default)s")
        return command

    profiled(add("up", _up, "build what is missing and start a cluster; return when it is whole"))
    ending = add("down", _down, "take a cluster away; what was built stays")
    which = ending.add_mutually_exclusive_group()
    which.add_argument("--profile", choices=sorted(PROFILES), default=FULL.name, help="default: %(default)s")
    which.add_argument("--all", action="store_true", help="both profiles")
    add("status", _status, "tell how the clusters are")
    add("build", _build, "build the programs, start nothing")
    add("images", _images, "build all images, the project's too, and load them into the full cluster if it is up")
    loading = add("load", _load, "import image archives into the full cluster")
    loading.add_argument("archive", nargs="+", type=Path, metavar="IMAGE_TAR")
    profiled(add("kubeconfig", _kubeconfig, "print the path of the administrator's kubeconfig"))
    user = profiled(
        add("user", _user, "make a kubeconfig for a user signed by the cluster's authority; print its path")
    )
    user.add_argument("name")
    user.add_argument("--group", action="append", default=[], help="a group of the user; may be repeated")
    through = profiled(add("kubectl", _kubectl, "run kubectl as administrator: kubectl [--profile P] -- ARGUMENTS"))
    through.add_argument("arguments", nargs=argparse.REMAINDER)
    return parser


def _up(options: argparse.Namespace) -> int:
    given = os.environ.get("KUBECONFIG")
    if given and os.environ.get("EVERMODEL_CLUSTER") != "local":
        return _use_given(given)
    profile = PROFILES[options.profile]
    with exclusive():
        lifecycle.up(profile)
    print(f"export KUBECONFIG={profile.kubeconfig}")
    return 0


def _use_given(kubeconfig: str) -> int:
    """Check that the user's own cluster answers, and leave it at that."""
    own = binaries.kube().path
    command = [str(own), "kubectl"] if own.exists() else [shutil.which("kubectl") or ""]
    if not command[0]:
        raise ClusterError("KUBECONFIG is set, but there is no kubectl to ask that cluster")
    answer = subprocess.run(
        [*command, "--request-timeout=10s", "get", "--raw", "/readyz"], check=False, capture_output=True, text=True
    )
    if answer.returncode != 0:
        raise ClusterError(f"KUBECONFIG={kubeconfig} is set, but its cluster does not answer: {answer.stderr.strip()}")
    say(f"uses the cluster of KUBECONFIG={kubeconfig}, which answers; nothing is started")
    return 0


def _down(options: argparse.Namespace) -> int:
    if os.geteuid() != 0:
        raise ClusterError("not root: what `up` made, only root can take away (try sudo)")
    with exclusive():
        for profile in PROFILES.values() if options.all else [PROFILES[options.profile]]:
            lifecycle.down(profile)
    return 0


def _status(_: argparse.Namespace) -> int:
    print(f"cache: {cache_root()}")
    for profile in PROFILES.values():
        print(lifecycle.status(profile))
    return 0


def _build(_: argparse.Namespace) -> int:
    programs = binaries.needed(node=True)
    problems = prerequisites.go_problems(programs)
    if problems:
        raise ClusterError("; ".join(problems))
    with exclusive():
        for program in programs:
            print(binaries.build(program))
    return 0


def _images(_: argparse.Namespace) -> int:
    with exclusive():
        prerequisites.ensure_images()
        addons = list(images.addons().values())
        own = project_images.build_all()
        if lifecycle.is_up(FULL):
            node.load(node.supervisor_pid(FULL), own)  # those of add-ons are the running cluster's own until `up`
    for image in [*addons, *own]:
        print(f"{image.exact} {image.archive}")
    return 0


def _load(options: argparse.Namespace) -> int:
    lifecycle.require_up(FULL)
    for archive in options.archive:
        if not archive.is_file():
            raise ClusterError(f"no such file: {archive}")
    with exclusive():
        for archive in options.archive:
            say(f"importing {archive}")
            node.import_archive(node.supervisor_pid(FULL), archive)
    return 0


def _kubeconfig(options: argparse.Namespace) -> int:
    print(lifecycle.require_up(PROFILES[options.profile]))
    return 0


def _user(options: argparse.Namespace) -> int:
    profile = PROFILES[options.profile]
    lifecycle.require_up(profile)
    print(control_plane.add_user(profile, profile.kube, options.name, options.group))
    return 0


def _kubectl(options: argparse.Namespace) -> int:
    profile = PROFILES[options.profile]
    kubeconfig = lifecycle.require_up(profile)
    arguments = options.arguments[1:] if options.arguments[:1] == ["--"] else options.arguments
    return subprocess.run([profile.kube, "kubectl", f"--kubeconfig={kubeconfig}", *arguments], check=False).returncode
