"""Every situation of the synthetic world, by its kind."""

from synthetic.rows.situations.everyday import EVERYDAY
from synthetic.rows.situations.favours import FAVOURS
from synthetic.rows.situations.model import ROLES, Beat, Situation
from synthetic.rows.situations.plans import PLANS
from synthetic.rows.situations.troubles import TROUBLES

SITUATIONS = {situation.kind: situation for situation in (*PLANS, *FAVOURS, *TROUBLES, *EVERYDAY)}

__all__ = ["ROLES", "SITUATIONS", "Beat", "Situation"]
