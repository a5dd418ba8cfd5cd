module stranger {
  requires dev.fovea;
}
