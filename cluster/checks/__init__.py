"""Why a cluster will not work, or not well, and what to do: checks of the facts."""
