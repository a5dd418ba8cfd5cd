package dev.fovea.cli.train;

/**
 * What training changes.
 *
 * @param value what layers compute with
 * @param gradient of the loss of the last step
 */
record Parameter(Matrix value, Matrix gradient) {}
