"""`python -m greenroom.lab.faults`: the fault server as a process."""

from greenroom.lab.faults.command import main

if __name__ == "__main__":
    main()
