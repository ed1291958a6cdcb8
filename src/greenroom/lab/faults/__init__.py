"""A small server with the known defects built in, each behind a switch: the lab's control.

A verdict is worth something only if it names these, alone and in pairs, and calls the sound server sound.

    python -m greenroom.lab.faults --fault shared-memory --fault leaked-fd --port 0
"""

from greenroom.lab.faults.catalog import AS_FOUND, FAULTS, Pace, UnknownFault, faults_named
from greenroom.lab.faults.process import FaultProcess

__all__ = ["AS_FOUND", "FAULTS", "FaultProcess", "Pace", "UnknownFault", "faults_named"]
