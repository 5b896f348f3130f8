"""Plans: ordered steps, their shell text, their performing, and the questions of waits."""
