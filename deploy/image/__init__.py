"""What runs in the image beside the program itself."""
