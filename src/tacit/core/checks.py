"""Refusals at declaration: one dry round finds what a long run would otherwise find late."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tacit.core.game import Phase, Player, Round, System
from tacit.core.nets import Nets
from tacit.errors import InputError, suggest


def check_declaration(system: System, nets: Nets, phases: tuple[Phase, ...]) -> dict[str, Player]:
    """Names fit together: players, networks, turns, rules. Returns the players by name.

    Raises:
        InputError: an unknown player or network, a weight owned twice in a turn, a rule for each player that is missing.
    """
    who = type(system).__name__
    players: dict[str, Player] = {}
    for p in system.players():
        if p.name in players:
            raise InputError(f"{who} has two players '{p.name}'; expected different names; rename one")
        players[p.name] = p
        for net in p.projections():
            if net not in p.owns:
                raise InputError(
                    f"{who}'s player '{p.name}' projects the network '{net}', which it does not own"
                    f"{suggest(net, p.owns) or ';'} expected some of: {', '.join(p.owns)}"
                )
        for net in p.owns:
            if net not in nets:
                raise InputError(
                    f"{who}'s player '{p.name}' owns the network '{net}', which does not exist"
                    f"{suggest(net, nets.names()) or ';'} expected one of: {', '.join(nets.names())}"
                )
    for phase in phases:
        for turn in phase.turns:
            owner: dict[int, str] = {}
            if len(turn.rules) not in (1, len(turn.names)):
                raise InputError(
                    f"{who}'s turn of {', '.join(turn.names)} has {len(turn.rules)} rules; "
                    f"expected 1 or {len(turn.names)}; give one for each player"
                )
            for rule in turn.rules if len(turn.rules) > 1 else ():
                if rule.joint:
                    raise InputError(
                        f"{who}'s turn of {', '.join(turn.names)} gives {type(rule).__name__} to one player beside other rules; "
                        "expected it alone, since it moves the players of a turn together; give the turn this one rule"
                    )
            for name in turn.names:
                if name not in players:
                    raise InputError(
                        f"{who}'s phase '{phase.name}' gives a turn to '{name}', who does not play"
                        f"{suggest(name, players) or ';'} expected one of: {', '.join(players)}"
                    )
                rule = turn.rules[turn.names.index(name) if len(turn.rules) > 1 else 0]
                if getattr(players[name], rule.needs) is None:
                    raise InputError(
                        f"{who}'s player '{name}' moves by {type(rule).__name__} but states no {rule.needs}; "
                        f"expected Player({name!r}, …, {rule.needs}=…); state it, or take another rule"
                    )
                for w in nets.parameters(players[name].owns):
                    if id(w) in owner:
                        raise InputError(
                            f"{who}'s turn of {', '.join(turn.names)} moves a weight of {players[name].owns} twice, for "
                            f"'{owner[id(w)]}' and for '{name}'; expected one owner in a turn; take separate turns"
                        )
                    owner[id(w)] = name
            for rule in turn.rules:
                rule.check(turn, players)
    return players


def check_losses(
    system: System,
    nets: Nets,
    players: tuple[Player, ...],
    r: Round,
    losses: Callable[[tuple[str, ...], Nets, Round], dict[str, dict[str, Tensor]]],
) -> dict[str, dict[str, Tensor]]:
    """Every term is a scalar and every player's loss reaches its weights. Returns the terms.

    Raises:
        InputError: with the player's and the term's name.
    """
    who = type(system).__name__
    with torch.enable_grad():
        terms = losses(tuple(p.name for p in players), nets, r)
        for p in players:
            for term, v in terms[p.name].items():
                if not isinstance(v, Tensor) or v.dim() != 0:
                    got = f"shape {tuple(v.shape)}" if isinstance(v, Tensor) else type(v).__name__
                    raise InputError(
                        f"{who}'s term '{p.name}/{term}' is of {got}; expected a scalar tensor; take its mean over the batch"
                    )
            weights = nets.parameters(p.owns)
            for term in p.logs:
                if term not in terms[p.name]:
                    raise InputError(
                        f"{who}'s player '{p.name}' logs the term '{term}', which its loss does not give"
                        f"{suggest(term, terms[p.name]) or ';'} expected some of: {', '.join(terms[p.name])}; mend the name"
                    )
            total = sum(p.summed(terms[p.name]))
            reached = isinstance(total, Tensor) and total.requires_grad
            if reached:
                grads = torch.autograd.grad(total, weights, retain_graph=True, allow_unused=True)  # type: ignore[arg-type]
                reached = any(g is not None for g in grads)
            if not reached:
                raise InputError(
                    f"{who}'s player '{p.name}' has a loss that reaches none of the weights it owns ({', '.join(p.owns)}); "
                    "expected a differentiable path; look for a detach, an argmax or a wrong owner"
                )
    return {name: {k: v.detach() for k, v in ts.items()} for name, ts in terms.items()}
