{
  description = "GitOps for MCP: push YAML to git, Slipway runs the MCP servers it names and serves them through one gateway";

  # The last release of nixpkgs with all four systems: after it, x86_64-darwin was dropped.
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;
      inherit (lib.importJSON ./package.json) version;

      # The hash of what npm installs, one per system, since some packages carry binaries. NOT KNOWN YET: the first
      # build on a system fails, and Nix prints the right hash to put here; so again after package-lock.json changed.
      # Until then only `nix develop` works.
      nodeModulesHash = {
        x86_64-linux = lib.fakeHash;
        aarch64-linux = lib.fakeHash;
        x86_64-darwin = lib.fakeHash;
        aarch64-darwin = lib.fakeHash;
      };

      forAllSystems =
        f: lib.mapAttrs (system: _hash: f system nixpkgs.legacyPackages.${system}) nodeModulesHash;

      # package-lock.json names no URLs, so npm itself must fetch: with the network, hence with a fixed output.
      # The lock's own hash is in the name, so that a changed lock cannot go on with the old modules.
      nodeModules =
        system: pkgs:
        pkgs.stdenvNoCC.mkDerivation {
          name = "slipway-modules-${lib.substring 0 8 (builtins.hashFile "sha256" ./package-lock.json)}";
          src = self;
          nativeBuildInputs = [
            pkgs.nodejs_24
            pkgs.cacert
          ];
          buildPhase = ''
            HOME=$TMPDIR npm install --no-save --ignore-scripts --no-audit --no-fund
          '';
          installPhase = ''
            mkdir $out
            cp -r node_modules $out/
          '';
          # A fixed output may not refer to the store, which is what patched shebangs would do.
          dontFixup = true;
          outputHashMode = "recursive";
          outputHash = nodeModulesHash.${system};
        };
    in
    {
      devShells = forAllSystems (
        _system: pkgs: {
          default = pkgs.mkShellNoCC {
            packages = [
              pkgs.nodejs_24
              pkgs.git
              pkgs.age
            ];
          };
        }
      );

      packages = forAllSystems (
        system: pkgs: {
          default = pkgs.stdenvNoCC.mkDerivation {
            pname = "slipway";
            inherit version;
            src = self;
            nativeBuildInputs = [
              pkgs.nodejs_24
              pkgs.makeWrapper
            ];
            # Copied, not linked: the bundle notes where its modules came from, and would keep them all alive.
            buildPhase = ''
              cp -r ${nodeModules system pkgs}/node_modules .
              node cli/build.ts
            '';
            installPhase = ''
              mkdir -p $out/lib/slipway
              cp -r dist package.json LICENSE $out/lib/slipway/
              install -Dm644 -t $out/share/man/man1 dist/man/*.1
              install -Dm644 -t $out/share/bash-completion/completions dist/completions/slipway
              install -Dm644 -t $out/share/zsh/site-functions dist/completions/_slipway
              install -Dm644 -t $out/share/fish/vendor_completions.d dist/completions/slipway.fish
              makeWrapper ${pkgs.nodejs_24}/bin/node $out/bin/slipway \
                --add-flags $out/lib/slipway/dist/slipway.js \
                --prefix PATH : ${
                  lib.makeBinPath [
                    pkgs.nodejs_24
                    pkgs.git
                  ]
                }
            '';
            meta = {
              description = "GitOps for MCP";
              license = lib.licenses.asl20;
              mainProgram = "slipway";
            };
          };
        }
      );

      apps = forAllSystems (
        system: _pkgs: {
          default = {
            type = "app";
            program = "${self.packages.${system}.default}/bin/slipway";
          };
        }
      );

      # Covers the type check, and that the built program starts and accepts the quickstart. Not the tests, which
      # `npm test` runs outside Nix.
      checks = forAllSystems (
        system: pkgs: {
          default = pkgs.stdenvNoCC.mkDerivation {
            name = "slipway-check";
            src = self;
            nativeBuildInputs = [
              pkgs.nodejs_24
              self.packages.${system}.default
            ];
            buildPhase = ''
              export HOME=$TMPDIR
              cp -r ${nodeModules system pkgs}/node_modules .
              node node_modules/typescript/bin/tsc --noEmit --singleThreaded
              slipway version
              slipway validate examples/quickstart
            '';
            installPhase = "touch $out";
          };
        }
      );
    };
}
