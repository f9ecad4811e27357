mod simulation;
mod words;
