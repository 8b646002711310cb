"""Assets, one file a stage: specs with what a steward reads, and a body that calls the stage and reports."""
