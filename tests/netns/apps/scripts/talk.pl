# SPDX-License-Identifier: BSD-3-Clause
# talk.pl serve|ask ADDRESS PORT: a server that forks for each client, and a client; facts as JSON.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use Digest::SHA qw(sha256_hex);

my ($role, $address, $port) = @ARGV;
$| = 1;
$SIG{CHLD} = 'IGNORE';

sub serve {
    my $listener = IO::Socket::INET->new(LocalAddr => $address, LocalPort => $port, Listen => 20, ReuseAddr => 1)
        or die "listen: $!";
    print "ready\n";
    while (my $client = $listener->accept) {
        my $pid = fork;
        if (!$pid) {
            close $listener;
            while (my $line = <$client>) {
                chomp $line;
                if ($line =~ /^take (\d+)$/) {
                    my ($want, $got) = ($1, '');
                    while (length $got < $want) { read($client, $got, $want - length $got, length $got) or last; }
                    print $client sha256_hex($got), "\n";
                } elsif ($line =~ /^give (\d+)$/) {
                    print $client 'x' x $1;
                } else {
                    print $client scalar reverse($line), "\n";
                }
                $client->flush;
            }
            exit 0;
        }
        close $client;
    }
}

sub ask {
    my @clients = map { IO::Socket::INET->new(PeerAddr => $address, PeerPort => $port) or die "connect: $!" } 1 .. 10;
    my $set = IO::Select->new(@clients);
    print {$clients[$_]} "words $_\n" for 0 .. 9;
    $_->flush for @clients;
    my %heard;
    while (keys %heard < 10) {
        for my $ready ($set->can_read(10)) { chomp(my $line = <$ready>); $heard{$line} = 1; }
    }
    my $block = join '', map { chr($_ % 251) } 1 .. 1_000_000;
    my $one = $clients[0];
    print $one "take 1000000\n$block";
    $one->flush;
    chomp(my $sum = <$one>);
    print $one "give 3000000\n";
    $one->flush;
    my $got = '';
    while (length $got < 3_000_000) { sysread($one, $got, 65536, length $got) or last; }
    my $refused = IO::Socket::INET->new(PeerAddr => $address, PeerPort => 9) ? 'no' : "$!";
    shutdown $one, 1;
    my $end = sysread($one, my $rest, 10);
    printf qq({"heard": "%s", "sum": %s, "got": %d, "refused": "%s", "end": %d}\n),
        join(',', sort keys %heard), $sum eq sha256_hex($block) ? 'true' : 'false', length $got, $refused, $end;
}

$role eq 'serve' ? serve() : ask();
