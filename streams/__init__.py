"""Stream processors on Faust: transport, exact table and step, one file per processor."""
