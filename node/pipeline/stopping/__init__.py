"""What stops and takes back: holds, recalls, rejection notes, merged patients."""
