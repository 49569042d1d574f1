"""What AWS would keep on its disks, kept on this one: moto's stores, written down as they change."""
