"""What labs on this machine share: run-time folders, channels, captures, finding labs, doctor."""
