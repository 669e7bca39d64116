"""Every verdict on disk, under the hash of all that it depends on."""
