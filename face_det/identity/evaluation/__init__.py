"""How good recognition is on photos that it has not seen: protocol, answers, figures, report."""
